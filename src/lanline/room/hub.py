"""What only the hub does: it holds the authority key, lets machines in, changes the roster, and tells who is here.

The hub has no power over the policies of other nodes. Restarted without the passphrase it is locked: it serves everything
but invitations, removals and role changes until `lanline unlock`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from lanline.clean import clean
from lanline.errors import AuthorityLocked, NotAllowed, RemoteProtocolError, StateDamaged
from lanline.roles import Role
from lanline.room.audit import AuditLog, Who
from lanline.room.book import RosterBook
from lanline.room.certificates import certificate_pem, new_node_certificate, parse_authority_certificate
from lanline.room.civil import civil_now
from lanline.room.disk import read_secret
from lanline.room.door import Invitation, InvitationBook
from lanline.room.founding import DATAGRAM_KIND, DatagramKey
from lanline.room.joining import JoinRequest, Welcome
from lanline.room.keys import is_authority_locked, open_authority_key, public_key_hash
from lanline.room.paths import StateFolder
from lanline.room.presence import GATHER, News, PresenceBook, Report, encode_news, presence_of
from lanline.room.roster import Roster, sign
from lanline.room.sealed import load_sealed, save_sealed

if TYPE_CHECKING:
    from lanline.link.caller import Caller
    from lanline.room.keys import PrivateKey

log = logging.getLogger("lanline.room")


class Hub:
    """The hub's part of a node.

    Args:
        folder: the state folder.
        book: the roster in force.
        presence: what is known of everybody.
        audit: this machine's log.
        put_in_force: adopts a roster this hub has just signed, on disk too.
    """

    def __init__(
        self,
        folder: StateFolder,
        book: RosterBook,
        presence: PresenceBook,
        audit: AuditLog,
        put_in_force: Callable[[bytes], object],
    ) -> None:
        self.invitations = InvitationBook()
        self._folder = folder
        self._book = book
        self._presence = presence
        self._audit = audit
        self._put_in_force = put_in_force
        self._key: PrivateKey | None = None
        self._attending: dict[str, asyncio.Queue[bytes]] = {}
        self._boots: dict[str, bytes] = {}

    def __repr__(self) -> str:
        return f"<Hub {'locked' if self.is_locked else 'open'} attending={len(self._attending)}>"

    # -- the authority key ---------------------------------------------------------------------------------

    @property
    def is_locked(self) -> bool:
        """Whether the authority key waits for its passphrase."""
        return self._key is None

    @staticmethod
    def needs_passphrase(folder: StateFolder) -> bool:
        """Whether this hub's authority key is encrypted.

        Raises:
            StateDamaged: the key file is missing, or not what was written. StateUnsafe: others can read it.
        """
        return is_authority_locked(_key_file(folder))

    def unlock(self, passphrase: str | None) -> None:
        """Opens the authority key. Takes a quarter of a second when it is encrypted: call it in a thread.

        Raises:
            AuthorityLocked: the passphrase is wrong or missing. StateDamaged: the key file is not what was written.
        """
        key = open_authority_key(_key_file(self._folder), passphrase)
        if public_key_hash(key) != self._book.current.room_id:
            raise StateDamaged(
                "the authority key is not this room's", advice="restore authority.key from the hub's backup."
            )
        self._key = key

    def _open_key(self) -> PrivateKey:
        if self._key is None:
            raise AuthorityLocked("the hub is locked: its authority key has not been opened since it started")
        return self._key

    # -- members -------------------------------------------------------------------------------------------

    def invite(self, caller: Caller, role: Role, *, uses: int, ttl: float | None) -> Invitation:
        """Opens an invitation.

        Raises:
            AuthorityLocked: the key is locked. NotAllowed: the role is above what the caller may invite.
            UsageError: a number is out of range, or too many are open.
        """
        self._open_key()
        if role >= Role.OPERATOR and (caller.role or 0) < Role.OWNER:
            raise NotAllowed(f"only an owner invites a machine as {role.word}")
        invitation = self.invitations.invite(role, now=time.monotonic(), uses=uses, ttl=ttl)
        self._audit.append("invite", who=_who(caller), details={"role": role.word, "uses": uses})
        return invitation

    def admit(self, request: JoinRequest, role: Role) -> Welcome:
        """Makes a member of a machine that has proved a code.

        Raises:
            LanlineError: with a sentence for the machine that joins.
        """
        key = self._open_key()
        public_key = request.checked_key()
        roster = self._book.current.with_member(
            request.name, public_key_hash(public_key), role, issued_at=int(civil_now())
        )
        authority = parse_authority_certificate(self._folder.authority_certificate.read_bytes())
        certificate = new_node_certificate(key, authority, public_key, request.name)
        details = {"name": request.name, "role": role.word, "system": request.system}
        self._audit.append("join", details=details)
        self._enforce(roster)
        log.info("%s has joined as %s (%s)", clean(request.name), role.word, clean(request.system))
        datagrams = load_sealed(self._folder.datagram_key, DATAGRAM_KIND, DatagramKey) or self._new_datagram_key(0)
        return Welcome(
            certificate_pem(authority), certificate_pem(certificate), self._book.data, datagrams.epoch, datagrams.key
        )

    def remove(self, caller: Caller, name: str) -> None:
        """Takes a member out of the room. Its links are cut as soon as the roster is in force.

        Raises:
            AuthorityLocked, NotAllowed; UsageError: there is no such member, or it is the hub.
        """
        self._open_key()
        member = self._book.current.member_named(name)
        is_self = member is not None and member.key_hash == caller.key_hash
        if member is not None and member.role >= Role.OPERATOR and not is_self and (caller.role or 0) < Role.OWNER:
            raise NotAllowed(f"{name} is {member.role.word}: only an owner removes it")
        roster = self._book.current.without(name, issued_at=int(civil_now()))
        self._audit.append("remove", who=_who(caller), details={"name": name})
        self._new_datagram_key(roster.datagram_epoch)
        self._enforce(roster)

    def set_role(self, caller: Caller, name: str, role: Role) -> None:
        """Gives a member another role.

        Raises:
            AuthorityLocked; UsageError: there is no such member, it is the hub, or has that role.
        """
        self._open_key()
        roster = self._book.current.with_role(name, role, issued_at=int(civil_now()))
        self._audit.append("role", who=_who(caller), details={"name": name, "role": role.word})
        self._enforce(roster)

    def _enforce(self, roster: Roster) -> None:
        data = sign(roster, self._open_key())
        self._put_in_force(data)
        self._tell_all(encode_news(News(roster=data)))

    def _new_datagram_key(self, epoch: int) -> DatagramKey:
        key = DatagramKey(epoch, os.urandom(32))
        save_sealed(self._folder.datagram_key, DATAGRAM_KIND, key)
        return key

    # -- who is here ---------------------------------------------------------------------------------------

    async def attend(self, caller: Caller, host: str, report: Report, round_trip: float | None) -> AsyncIterator[bytes]:
        """A member is here as long as this goes on; yields News for it, encoded.

        Args:
            caller: the member.
            host: where its link came from.
            report: what it says of itself.
            round_trip: as measured on its link so far, seconds.
        """
        name = caller.name
        queue: asyncio.Queue[bytes] = asyncio.Queue(maxsize=1024)
        self._attending[name] = queue
        self._presence.set(presence_of(name, report, host, now=civil_now(), round_trip=round_trip))
        try:
            yield encode_news(News(self._presence.rows(), True, self._book.data))
            while True:
                news = await queue.get()
                if not news:
                    raise RemoteProtocolError("another machine with this key has come, or news piled up: start anew")
                yield news
        finally:
            if self._attending.get(name) is queue:
                del self._attending[name]
                self._presence.set_offline(name, now=civil_now())

    async def spread_changes(self) -> None:
        """Tells everybody what changed, gathered; runs as long as the hub does."""
        while True:
            await asyncio.sleep(GATHER)
            rows = self._presence.take_changes()
            if rows:
                self._tell_all(encode_news(News(rows)))

    def _tell_all(self, news: bytes) -> None:
        for name, queue in list(self._attending.items()):
            if queue.full():
                # So slow that it is better told everything anew: it comes back and gets a snapshot.
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait(b"")
                log.info("%s does not take its news and must start anew", clean(name))
            else:
                queue.put_nowait(news)


def _key_file(folder: StateFolder) -> bytes:
    data = read_secret(folder.authority_key)
    if data is None:
        raise StateDamaged(
            f"{folder.authority_key} is missing, and this machine is the hub",
            advice="restore it from the hub's backup.",
        )
    return data


def _who(caller: Caller) -> Who:
    return Who(caller.name, caller.role.word if caller.role else "none", caller.key_hash)
