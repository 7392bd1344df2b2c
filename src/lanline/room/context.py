"""What a service is given of its node: the public side, and nothing else of it.

A service is a stranger in the house: it sees members by name, links by name, this machine's policy and audit. It
reaches neither keys nor the roster's authority, and other services not at all.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Protocol

from lanline.link.caller import Caller
from lanline.link.link import Link
from lanline.room.audit import AuditLog
from lanline.room.book import Change
from lanline.room.policy import Allowed, Refused


class Context(Protocol):
    """A node, as its services see it."""

    @property
    def name(self) -> str:
        """This node's name."""

    @property
    def room(self) -> str:
        """The room's name."""

    @property
    def audit(self) -> AuditLog:
        """This machine's audit log. Its calls wait for the disk: call them in a thread."""

    def folder(self, service: str) -> Path:
        """The folder of one service's own state, made with mode 0700."""

    def expand(self, target: str, *, without: Iterable[str] = ()) -> list[str]:
        """The names a target selects.

        Raises:
            TargetError: it selects nobody, or names somebody unknown.
        """

    def online(self) -> frozenset[str]:
        """Names of the members that are here, this node included."""

    def link_to(self, name: str) -> Awaitable[Link]:
        """A link with a member, opened if there is none.

        Raises:
            ConnectFailed: it cannot be reached, with the reason.
        """

    def decide(
        self, caller: Caller, argv: tuple[str, ...], environment: Mapping[str, str], folder: str
    ) -> Allowed | Refused:
        """What this machine's policy says to a command. It looks at files: call it in a thread."""

    def watch_members(self, changed: Callable[[Change], None]) -> None:
        """Has `changed` called whenever another roster comes into force."""
