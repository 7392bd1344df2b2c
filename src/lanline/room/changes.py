"""What happens when a newer roster comes in force: on disk, in the book, on the live links, and to whoever watches.

It judges nothing (`book.py` does) and opens nothing. Rules:

1. A member takes a newer roster in force even when its disk takes nothing: a removal must not wait for a full disk.
   It is written again later, and people are told. The hub is stricter with its own (`must_save`): a number it has
   handed out and then forgotten would be given to two rosters.
2. A link whose member is gone loses every right in the same moment, and lives on a tenth of a second only to hear why.
3. One watcher's fault keeps no other from being told.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from lanline.clean import clean
from lanline.errors import StateNotSaved
from lanline.room.alarms import Alarms
from lanline.room.book import Change, Refused, RosterBook
from lanline.room.disk import write_atomic
from lanline.room.links import LinkBook
from lanline.room.presence import PresenceBook

log = logging.getLogger("lanline.room")

FAREWELL: Final = 0.1
"""Seconds a removed member's link lives on, without any right, so that it still hears the roster that removed it."""

Watcher = Callable[[Change], None]


class RosterKeeper:
    """Puts newer rosters in force on one node.

    Args:
        path: where the roster lies.
        book: the roster in force.
        own_key_hash: this node's key.
        links: the live links.
        presence: what is known of the members.
        alarms: where people are told.
    """

    def __init__(
        self,
        path: Path,
        book: RosterBook,
        own_key_hash: bytes,
        links: LinkBook,
        presence: PresenceBook,
        alarms: Alarms,
    ) -> None:
        self._path = path
        self._book = book
        self._own_key_hash = own_key_hash
        self._links = links
        self._presence = presence
        self._alarms = alarms
        self.watchers: list[Watcher] = []
        self.is_saved = True
        """Whether the roster in force is on disk."""

    def __repr__(self) -> str:
        return f"<RosterKeeper {self._book!r}{'' if self.is_saved else ' not saved'}>"

    def adopt(self, data: bytes, *, must_save: bool = False) -> Refused | None:
        """Puts a roster in force if it is valid and newer.

        Args:
            data: what a peer sent, or this hub has signed.
            must_save: change nothing unless it is on disk first.

        Returns:
            Why it was refused; None when it is in force now, or was already.

        Raises:
            StateNotSaved: only with `must_save`; then nothing has changed.
        """
        verdict = self._book.judge(data)
        if isinstance(verdict, Refused):
            if verdict.is_alarm:
                self._alarms.sound(str(verdict))
            return verdict
        if verdict.number > self._book.number:
            self._write(data, must_save=must_save)
            change = self._book.adopt(data)
            assert isinstance(change, Change), "what was judged good is adopted"
            self._apply(change)
        return None

    def save_again(self) -> None:
        """Writes the roster that the disk did not take. Does nothing when it is there."""
        if not self.is_saved:
            self._write(self._book.data, must_save=False)

    def _write(self, data: bytes, *, must_save: bool) -> None:
        try:
            write_atomic(self._path, data)
        except StateNotSaved as error:
            if must_save:
                raise
            self.is_saved = False
            self._alarms.sound(f"the newest roster is in force, but not on disk: {error}")
        else:
            self.is_saved = True

    def _apply(self, change: Change) -> None:
        log.info("roster %d is in force: %d members", self._book.number, len(self._book.current.members))
        for member in change.removed:
            self._presence.forget(member.name)
        for old, _ in change.renamed:
            self._presence.forget(old.name)
        self._apply_to_links(change)
        for changed in self.watchers:
            try:
                changed(change)
            except Exception:
                log.exception("a watcher of the roster failed")
        if self._own_key_hash in {member.key_hash for member in change.removed}:
            room = self._book.current.room
            self._alarms.sound(f"this machine was removed from the room {room}: ask an owner, or join again")

    def _apply_to_links(self, change: Change) -> None:
        gone = {member.key_hash for member in change.removed}
        changed = {member.key_hash: member for _, member in (*change.role_changed, *change.renamed)}
        for link in self._links.all():
            caller = link.caller
            member = changed.get(caller.key_hash)
            if caller.key_hash in gone:
                log.info("%s was removed: its link is cut", clean(caller.name))
                link.caller = replace(caller, role=None)
                asyncio.get_running_loop().call_later(FAREWELL, link.refuse, "this machine was removed from the room")
            elif member is not None:
                self._links.discard(link)
                link.caller = replace(caller, name=member.name, role=member.role)
                self._links.add(link)
