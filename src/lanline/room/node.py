"""A node: one machine in a room, from its state folder to its listeners.

It puts the parts together and passes on what happens: links that open and close, rosters that come into force, members
that come and go. It knows services only as a list. One node per state folder: a lock says so.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from lanline.address import Address
from lanline.clean import clean
from lanline.errors import ConnectFailed, NotInRoom, UsageError
from lanline.limits import LAN, Limits
from lanline.link.caller import Caller
from lanline.link.link import Link
from lanline.link.service import Service, collect
from lanline.roles import Role
from lanline.room import policy as rules
from lanline.room import presence
from lanline.room.alarms import Alarms
from lanline.room.attendance import Arrived, Attendance
from lanline.room.audit import AuditLog
from lanline.room.book import Change, Refused
from lanline.room.changes import RosterKeeper
from lanline.room.civil import civil_now
from lanline.room.dial import first_link
from lanline.room.disk import sweep_leftovers
from lanline.room.doorway import Doorkeeper
from lanline.room.freshness import boot_clock, load_freshness
from lanline.room.guards import LocalGuard, RoomGuard
from lanline.room.hub import Hub
from lanline.room.hublink import HubLink
from lanline.room.identity import Identity, load_identity
from lanline.room.links import LinkBook
from lanline.room.livepolicy import LivePolicy
from lanline.room.lock import NodeLock
from lanline.room.paths import StateFolder, ensure_folder
from lanline.room.presence import News, PresenceBook, Report
from lanline.room.records import MemberLine, NodeStatus
from lanline.room.saving import Saver
from lanline.room.sealed import load_cache
from lanline.room.service import NodeService, RoomService
from lanline.room.settings import Settings, load_settings
from lanline.room.status import member_lines, node_status
from lanline.room.target import Selectable, expand
from lanline.room.wire import LinkEnd, TlsWire, Wire, places

log = logging.getLogger("lanline.room")

ROUND: Final = 30.0
"""Seconds between two rounds of housekeeping: idle links, what is saved."""

POLICY_ROUND: Final = 2.0
"""Seconds between two looks at the policy file that no command has caused: so that the room hears of a change."""

MakeWire = Callable[[Identity, Settings, Limits], Wire]


class Node:
    """One machine in a room. `async with Node(...)`, or `start()` and `stop()`.

    Args:
        folder: its state. The node holds the folder's lock from here until `stop`.
        version: of lanline, told to the room.
        settings: where to serve; None for what is on disk.
        limits: sizes and times of links and listeners.
        wire: makes what it listens and dials with; TLS over TCP by default.

    Raises:
        NotInRoom, NodeAlreadyRunning, StateUnsafe, StateDamaged: see there; the folder is then free again.
    """

    def __init__(
        self,
        folder: StateFolder,
        *,
        version: str = "",
        settings: Settings | None = None,
        limits: Limits = LAN,
        wire: MakeWire | None = None,
    ) -> None:
        if not folder.is_in_room:
            raise NotInRoom(f"this machine is in no room ({folder.path})")
        # Before the first file is read: whoever runs with this folder may be about to change it.
        self._lock = NodeLock(folder.lock)
        try:
            self._load(folder, settings)
        except BaseException:
            self._lock.release()
            raise
        self.version = version
        self.folder_of_state = folder
        self.limits = limits
        self.started_at = time.monotonic()
        self.attendance = Attendance(self.identity.book, self.presence, self.alarm)
        self.hub = Hub(folder, self.identity.book, self.audit, self._enforce) if self.identity.is_hub else None
        self.hub_link: HubLink | None = None
        self._wire = (wire or _tls_wire)(self.identity, self.settings, limits)
        self._links = LinkBook(self._connect)
        self._keeper = RosterKeeper(
            folder.roster, self.identity.book, self.identity.key_hash, self._links, self.presence, self._alarms
        )
        self._saver = Saver(folder, self.presence, self.freshness, self._alarms)
        self._doorkeeper = Doorkeeper(self.hub.invitations, self.hub.admit) if self.hub else None
        self._services: list[Service] = []
        self._started: list[Service] = []
        self._others: set[Link] = set()
        self._boot = os.urandom(8)
        self._members_end: LinkEnd
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Lock()
        self._stop_wanted = asyncio.Event()
        self.failure: BaseException | None = None
        """What ended this node's standing work, where it stops by itself."""

    def _load(self, folder: StateFolder, settings: Settings | None) -> None:
        self.identity = load_identity(folder)
        self.settings = settings or load_settings(folder)
        self.freshness = load_freshness(folder)
        rows, note = load_cache(folder.presence, presence.KIND, tuple[presence.Presence, ...])
        self.presence = PresenceBook(rows or ())
        self.audit = AuditLog(folder.audit)
        self._policy = LivePolicy(folder.policy, self.audit)
        self._alarms = Alarms(self.audit)
        if note:
            self._alarms.note(note)

    def __repr__(self) -> str:
        return f"<Node {self.name} room={self.room} links={len(self._links.all())}>"

    # -- life ----------------------------------------------------------------------------------------------

    def host(self, services: Iterable[Service]) -> None:
        """Adds services; before `start`."""
        self._services.extend(services)

    async def start(self) -> None:
        """Starts the services, listens, and looks for the hub. Whatever fails, the folder is then free again.

        Raises:
            ListenFailed: the port or the control socket cannot be served.
            UsageError: an endpoint declares no role.
        """
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> None:
        sweep_leftovers(self.folder_of_state.path)
        room = RoomService(self)
        table = collect([*self._services, room, NodeService(self, room)], roles_required=True)
        guard = RoomGuard(self.identity.book, self.name, self)
        local = LocalGuard(self.name, lambda: self.role, self.identity.key_hash)
        self._members_end = LinkEnd(guard, table, self._boot, self.limits, self._link_opened)
        people_end = LinkEnd(local, table, self._boot, self.limits, self._link_opened)
        for service in self._services:
            self._started.append(service)
            await service.on_start()
        await self._wire.open(self._members_end, people_end, self._doorkeeper)
        if self.hub is not None:
            self._note_own_presence()
            self._own(self.attendance.spread_changes(self._measure))
        else:
            self.hub_link = HubLink(self.hub_name, self.link_to, self.report, self._learn, self.presence.all_offline)
            self._own(self.hub_link.keep())
        loop = asyncio.get_running_loop()
        self._policy.changed = lambda: loop.call_soon_threadsafe(self._policy_changed)
        self._own(self._watch_policy())
        self._own(self._keep_house())

    async def stop(self) -> None:
        """Lets nobody in and no call begin any more, ends services, calls and links, saves what is known and gives the
        folder free.

        Goes through to the end whatever fails on the way, which the log then says. A second call does nothing.
        """
        async with self._stopping:
            self._wire.stop_accepting()
            self._policy.changed = _unheard
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            if self._doorkeeper is not None:
                await self._doorkeeper.close()
            for link in (*self._links.all(), *self._others):
                link.retire("this node is stopping")
            while self._started:
                await self._stop_service(self._started.pop())
            await asyncio.gather(*(link.close("this node is stopping") for link in list(self._others)))
            await self._links.close()
            await self._wire.close()
            if self._lock.is_held:
                self._saver.save_all()
                self.audit.close()
                self._lock.release()

    async def __aenter__(self) -> Self:
        """Starts it."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops it."""
        await self.stop()

    def request_stop(self) -> None:
        """Lets `wait_stop_wanted` return."""
        self._stop_wanted.set()

    async def wait_stop_wanted(self) -> None:
        """Waits until somebody wants this node to stop."""
        await self._stop_wanted.wait()

    # -- facts ---------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """This node's name."""
        return self.identity.name

    @property
    def room(self) -> str:
        """The room's name."""
        return self.identity.room

    @property
    def role(self) -> Role:
        """This machine's role in the roster; guest once it was removed."""
        line = self.identity.own_line
        return line.role if line is not None else Role.GUEST

    @property
    def policy(self) -> rules.Policy:
        """What this machine runs for others, as its file says now."""
        return self._policy.now()

    @property
    def hub_name(self) -> str:
        """The hub's name."""
        return self.identity.hub_line.name

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where members reach this node."""
        return self._wire.addresses

    @property
    def alarms(self) -> tuple[str, ...]:
        """What a person must look at, the latest last. May hold text from peers: clean it before showing."""
        return self._alarms.texts

    def status(self) -> NodeStatus:
        """How this node is doing."""
        return node_status(self, self._services)

    def member_lines(self, target: str) -> list[MemberLine]:
        """The members a target selects, in natural order."""
        return member_lines(self, self.expand(target))

    def reachable_at(self) -> tuple[str, ...]:
        """Where other machines reach this one, as `host:port`."""
        return places(self._wire.hosts, self._wire.port)

    def links(self) -> Sequence[Link]:
        """Every live link with a member."""
        return self._links.all()

    def live_link(self, name: str) -> Link | None:
        """The live link with a member, if there is one."""
        return self._links.live(name)

    def arrived(self, caller: Caller) -> Arrived:
        """Where a caller's link comes from.

        Raises:
            UsageError: it is not on any link of this node (any more).
        """
        for link in self._links.all():
            # By address: a member, or two machines with one key, may have several links.
            if link.caller.key_hash == caller.key_hash and link.caller.address == caller.address:
                address = Address.parse(caller.address)
                return Arrived(address.host or address.path, link.peer_boot, link.round_trip)
        raise UsageError(f"{caller.name} has no link with {self.name}")

    def report(self) -> Report:
        """What this node says of itself."""
        hosts = self._wire.hosts
        runs = self.policy.runs_something_as(os.geteuid())
        system = " ".join(os.uname()[::2])
        return Report(self._wire.port, hosts, self.version, system, runs, self.identity.book.number)

    # -- the context of services ---------------------------------------------------------------------------

    def folder(self, service: str) -> Path:
        """See Context."""
        path = self.folder_of_state.service(service)
        ensure_folder(path)
        return path

    def expand(self, target: str, *, without: Iterable[str] = ()) -> list[str]:
        """See Context."""
        return expand(target, Selectable(self.identity.book.current.members, self.name, self.online()), without=without)

    def online(self) -> frozenset[str]:
        """See Context. Whom this node has a link with is here, whatever the hub last said."""
        linked = {link.caller.name for link in self._links.all() if link.is_open}
        return self.presence.online | linked | {self.name}

    async def link_to(self, name: str) -> Link:
        """See Context."""
        return await self._links.to(name)

    def decide(
        self, caller: Caller, argv: tuple[str, ...], environment: Mapping[str, str], folder: str
    ) -> rules.Allowed | rules.Refused:
        """See Context."""
        now = boot_clock()
        is_stale = self.hub is None and self.freshness.is_stale(now)
        machine = rules.Machine.here(stale=self.freshness.explain(now) if is_stale else "")
        who = rules.Caller(caller.name, caller.role or Role.GUEST, caller.key_hash)
        return rules.decide(self.policy, who, rules.Request(argv, environment, folder), machine)

    def watch_members(self, changed: Callable[[Change], None]) -> None:
        """See Context."""
        self._keeper.watchers.append(changed)

    # -- the guard's side ----------------------------------------------------------------------------------

    def adopt(self, roster: bytes) -> Refused | None:
        """Puts a newer roster in force; says why not."""
        return self._keeper.adopt(roster)

    def link_welcomed(self, link: Link) -> None:
        """A link with a member is open."""
        self._others.discard(link)
        self._links.add(link)
        if link.caller.name == self.hub_name:
            self.freshness.confirmed(boot_clock())

    def link_lost(self, link: Link, reason: str) -> None:
        """It is gone."""
        self._links.discard(link)
        log.info("the link with %s is gone: %s", clean(link.caller.name), clean(reason))

    def alarm(self, text: str) -> None:
        """Something a person must look at: in the log, the audit and the status."""
        self._alarms.sound(text)

    # -- private pieces ------------------------------------------------------------------------------------

    def _own(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A node whose standing work has failed stops, rather than going on by half."""
        if not task.cancelled() and task.exception() is not None:
            self.failure = task.exception()
            log.error("the node must stop", exc_info=self.failure)
            self.request_stop()

    async def _stop_service(self, service: Service) -> None:
        try:
            await service.on_stop()
        except Exception:
            log.exception("the service %s did not stop cleanly", service.name)

    def _link_opened(self, link: Link) -> None:
        """An accepted link, of a member not yet welcomed or of this machine's people."""
        self._others.add(link)
        link.when_gone(self._others.discard)

    def _enforce(self, roster: bytes) -> None:
        """Puts a roster in force that this hub has just signed."""
        refused = self._keeper.adopt(roster, must_save=True)
        assert refused is None, f"the hub's own roster was refused: {refused}"
        self.attendance.tell_roster(roster)

    async def _connect(self, name: str) -> Link:
        if name == self.name:
            raise ConnectFailed("a node has no link with itself")
        where = list(self.presence.of(name).addresses)
        if name == self.hub_name:
            where += [place for place in self.settings.hub if place not in where]
        if not where:
            raise ConnectFailed(f"no address of {name} is known: it has not been seen since this node joined")
        return await first_link(where, lambda place: self._connect_at(place, name))

    async def _connect_at(self, place: str, name: str) -> Link:
        link = await self._wire.dial(place, name, self._members_end)
        if link.caller.name != name:
            await link.close(f"{name} was expected here")
            raise ConnectFailed(f"{place} is {link.caller.name}, not {name}")
        return link

    def _note_own_presence(self) -> None:
        report = self.report()
        row = presence.presence_of(self.name, report, "", now=civil_now(), round_trip=0.0)
        self.presence.set(presence.with_addresses(row, self.reachable_at()))

    def _learn(self, news: News) -> None:
        if news.roster:
            self.adopt(news.roster)
        self.presence.learn(news)
        self.freshness.confirmed(boot_clock())

    def _measure(self) -> None:
        self.presence.measure({link.caller.name: link.round_trip for link in self._links.all()})

    async def _watch_policy(self) -> None:
        while True:
            await asyncio.sleep(POLICY_ROUND)
            if not self._policy.is_current:
                await asyncio.to_thread(self._policy.now)

    def _policy_changed(self) -> None:
        """The room is told what this node says of itself now."""
        if self.hub_link is not None:
            self.hub_link.report_anew()
        else:
            self._note_own_presence()

    async def _keep_house(self) -> None:
        while True:
            await asyncio.sleep(ROUND)
            if self.hub_link is not None and self.hub_link.is_there:
                self.freshness.confirmed(boot_clock())
            now = asyncio.get_running_loop().time()
            await self._links.close_idle(lambda link: link.caller.name == self.hub_name, now=now)
            self._keeper.save_again()
            await self._saver.save_changes()


def _unheard() -> None:
    """A policy that changes while the node stops is nobody's news."""


def _tls_wire(identity: Identity, settings: Settings, limits: Limits) -> Wire:
    return TlsWire(identity, settings.bind, settings.port, limits)
