"""What only the hub does: it holds the authority key, lets machines in and changes the roster.

The hub has no power over the policies of other nodes. Restarted without the passphrase it is locked: it serves
everything but invitations, removals and role changes until `lanline unlock`. Rule: each change is in the audit and on
disk before it is in force, and whatever fails on the way leaves the roster as it was. Everything here waits for the
disk, which for what happens a few times a day is no matter; `unlock` alone takes long enough to be called in a
thread.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from lanline.clean import clean
from lanline.errors import AuthorityLocked, NotAllowed, RoomError, StateDamaged, StateNotSaved
from lanline.roles import Role
from lanline.room.audit import AuditLog, Who
from lanline.room.book import RosterBook
from lanline.room.certificates import (
    MAX_CERTIFICATE_BYTES,
    certificate_pem,
    new_node_certificate,
    parse_authority_certificate,
)
from lanline.room.civil import civil_now
from lanline.room.disk import read_secret, read_state
from lanline.room.door import Invitation, InvitationBook
from lanline.room.founding import DATAGRAM_KIND, DatagramKey
from lanline.room.joining import JoinRequest, Welcome
from lanline.room.keys import is_authority_locked, open_authority_key, public_key_hash
from lanline.room.paths import StateFolder
from lanline.room.roster import Roster, sign
from lanline.room.sealed import load_sealed, save_sealed

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from lanline.link.caller import Caller
    from lanline.room.keys import PrivateKey

log = logging.getLogger("lanline.room")


class Hub:
    """The hub's part of a node.

    Args:
        folder: the state folder.
        book: the roster in force.
        audit: this machine's log.
        enforce: puts a roster this hub has just signed in force, on disk first, and tells the members. Raises
            StateNotSaved, and has then changed nothing.
    """

    def __init__(
        self, folder: StateFolder, book: RosterBook, audit: AuditLog, enforce: Callable[[bytes], None]
    ) -> None:
        self.invitations = InvitationBook()
        self._folder = folder
        self._book = book
        self._audit = audit
        self._enforce = enforce
        self._key: PrivateKey | None = None

    def __repr__(self) -> str:
        return f"<Hub {'locked' if self.is_locked else 'open'} roster={self._book.number}>"

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

    def unlock(self, passphrase: str | None, caller: Caller | None = None) -> None:
        """Opens the authority key. Takes a quarter of a second when it is encrypted: call it in a thread.

        Args:
            passphrase: of the key; None where it is not encrypted.
            caller: who opens it in a running hub, for the audit; None at a start, which leaves no record.

        Raises:
            AuthorityLocked: the passphrase is wrong or missing. StateDamaged: the key file is not what was written.
            StateNotSaved: the audit could not be written; the hub stays locked.
        """
        key = open_authority_key(_key_file(self._folder), passphrase)
        if public_key_hash(key) != self._book.current.room_id:
            raise StateDamaged(
                "the authority key is not this room's", advice="restore authority.key from the hub's backup."
            )
        if caller is not None:
            self._audit.append("unlock", who=_who(caller))
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
        try:
            self._audit.append("invite", who=_who(caller), details={"role": role.word, "uses": uses})
        except StateNotSaved:
            self.invitations.close(invitation.code.slot)
            raise
        return invitation

    def admit(self, request: JoinRequest, role: Role) -> Welcome:
        """Makes a member of a machine that has proved a code.

        A machine that is a member already, by key and name, gets its certificate again and keeps its role: the last
        message of its first try may never have reached it.

        Raises:
            LanlineError: with a sentence for the machine that joins; nothing has changed then.
        """
        key = self._open_key()
        public_key = request.checked_key()
        # All that may fail comes first: a machine in the roster that was told it is not would have lost its name.
        authority = self._authority()
        datagrams = load_sealed(self._folder.datagram_key, DATAGRAM_KIND, DatagramKey)
        if datagrams is None:
            datagrams = self._new_datagram_key(self._book.current.datagram_epoch)
        certificate = new_node_certificate(key, authority, public_key, request.name)
        self._enter(request, public_key_hash(public_key), role)
        log.info("%s has joined as %s (%s)", clean(request.name), role.word, clean(request.system))
        return Welcome(
            certificate_pem(authority), certificate_pem(certificate), self._book.data, datagrams.epoch, datagrams.key
        )

    def _enter(self, request: JoinRequest, key_hash: bytes, role: Role) -> None:
        there = self._book.member_for(key_hash)
        details = {"name": request.name, "role": role.word, "system": request.system}
        if there is not None and there.name == request.name:
            self._audit.append("join.again", details=details | {"role": there.role.word})
            return
        roster = self._book.current.with_member(request.name, key_hash, role, issued_at=int(civil_now()))
        self._audit.append("join", details=details)
        self._sign(roster)

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
        self._sign(roster)

    def set_role(self, caller: Caller, name: str, role: Role) -> None:
        """Gives a member another role.

        Raises:
            AuthorityLocked; UsageError: there is no such member, it is the hub, or has that role.
        """
        self._open_key()
        roster = self._book.current.with_role(name, role, issued_at=int(civil_now()))
        self._audit.append("role", who=_who(caller), details={"name": name, "role": role.word})
        self._sign(roster)

    def _sign(self, roster: Roster) -> None:
        try:
            data = sign(roster, self._open_key())
        except ValueError as error:
            raise RoomError(f"the roster cannot grow any further: {error}", advice="remove members first.") from error
        self._enforce(data)

    def _authority(self) -> Certificate:
        path = self._folder.authority_certificate
        data = read_state(path, max_bytes=MAX_CERTIFICATE_BYTES)
        if data is None:
            raise StateDamaged(f"{path} is missing", advice="restore it from the hub's backup.")
        authority = parse_authority_certificate(data)
        if public_key_hash(authority) != self._book.current.room_id:
            raise StateDamaged(f"{path} is not this room's", advice="restore it from the hub's backup.")
        return authority

    def _new_datagram_key(self, epoch: int) -> DatagramKey:
        key = DatagramKey(epoch, os.urandom(32))
        save_sealed(self._folder.datagram_key, DATAGRAM_KIND, key)
        return key


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
