"""A node: one machine in a room, from its state folder to its listeners.

It puts the parts together and passes on what happens: links that open and close, rosters that come into force, members
that come and go. It knows services only as a list. One node per state folder: a lock says so.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from lanline.address import Address
from lanline.clean import clean
from lanline.errors import ConnectFailed
from lanline.limits import LAN, Limits
from lanline.link.caller import Caller
from lanline.link.client import open_link
from lanline.link.link import Link
from lanline.link.service import Endpoint, Service, collect
from lanline.roles import Role
from lanline.room import policy, presence
from lanline.room.audit import AuditLog
from lanline.room.book import Change, Refused
from lanline.room.civil import civil_now
from lanline.room.disk import sweep_leftovers, write_atomic
from lanline.room.doorway import Doorkeeper
from lanline.room.freshness import boot_clock, load_freshness, save_freshness
from lanline.room.guards import LocalGuard, RoomGuard
from lanline.room.hub import Hub
from lanline.room.hublink import HubLink
from lanline.room.identity import load_identity
from lanline.room.interfaces import own_addresses
from lanline.room.links import LinkBook
from lanline.room.listening import Listening, link_factory
from lanline.room.lock import NodeLock
from lanline.room.names import certificate_name
from lanline.room.paths import StateFolder, ensure_folder
from lanline.room.policyfile import load_policy
from lanline.room.presence import News, PresenceBook, Report
from lanline.room.records import MemberLine, NodeStatus
from lanline.room.sealed import load_cache, save_sealed
from lanline.room.service import NodeService, RoomService
from lanline.room.settings import Settings, load_settings
from lanline.room.status import member_line, node_status
from lanline.room.target import Selectable, expand
from lanline.transport.base import ProtocolFactory

log = logging.getLogger("lanline.room")

_ROUND = 30.0
"""Seconds between two rounds of housekeeping: idle links, what is saved."""

_FAREWELL = 0.1
"""Seconds a removed member's link lives on, without any right, so that it still hears the roster that removed it."""


class Node:
    """One machine in a room. `async with Node(...)`, or `start()` and `stop()`.

    Args:
        folder: its state. The node holds the folder's lock from here until `stop`.
        version: of lanline, told to the room.
        settings: where to serve; None for what is on disk.
        limits: sizes and times of links and listeners.

    Raises:
        NotInRoom, NodeAlreadyRunning, StateUnsafe, StateDamaged: see there.
    """

    def __init__(
        self, folder: StateFolder, *, version: str = "", settings: Settings | None = None, limits: Limits = LAN
    ) -> None:
        self.identity = load_identity(folder)
        self._lock = NodeLock(folder.lock)
        self.version = version
        self.folder_of_state = folder
        self.settings = settings or load_settings(folder)
        self.limits = limits
        self.audit = AuditLog(folder.audit)
        self.policy = load_policy(folder.policy)
        self.freshness = load_freshness(folder)
        rows, note = load_cache(folder.presence, presence.KIND, tuple[presence.Presence, ...])
        self.presence = PresenceBook(rows or ())
        self.alarms: list[str] = [note] if note else []
        self.hub: Hub | None = None
        if self.identity.is_hub:
            self.hub = Hub(folder, self.identity.book, self.presence, self.audit, self._put_in_force)
        self.hub_link: HubLink | None = None
        self.started_at = time.monotonic()
        self._boot = os.urandom(8)
        self._services: list[Service] = []
        self._table: dict[str, Endpoint] = {}
        self._watchers: list[Callable[[Change], None]] = []
        self._links = LinkBook(self._connect)
        self._strangers: set[Link] = set()
        self._listening = Listening(self.identity, limits)
        self._guard = RoomGuard(self.identity.book, self.name, self)
        self._doorkeeper = Doorkeeper(self.hub.invitations, self.hub.admit) if self.hub else None
        self._tasks: list[asyncio.Task[None]] = []
        self._stop_wanted = asyncio.Event()

    def __repr__(self) -> str:
        return f"<Node {self.name} room={self.room} links={len(self._links.all())}>"

    # -- life ----------------------------------------------------------------------------------------------

    def host(self, services: Iterable[Service]) -> None:
        """Adds services; before `start`."""
        self._services.extend(services)

    async def start(self) -> None:
        """Starts the services, listens, and looks for the hub.

        Raises:
            ListenFailed: the port or the control socket cannot be served.
            UsageError: an endpoint declares no role.
        """
        sweep_leftovers(self.folder_of_state.path)
        room = RoomService(self)
        self._table = collect([*self._services, room, NodeService(self, room)], roles_required=True)
        for service in self._services:
            await service.on_start()
        local = LocalGuard(self.name, lambda: self.role, self.identity.key_hash)
        members = self._factory(self._guard)
        await self._listening.open(
            self.settings.bind, self.settings.port, members, self._factory(local), self._doorkeeper
        )
        if self.hub is not None:
            self.presence.set(self._own_presence())
            self._own(self.hub.spread_changes())
        else:
            self.hub_link = HubLink(self.hub_name, self.link_to, self.report, self._learn, self._hub_away)
            self._own(self.hub_link.keep())
        self._own(self._keep_house())

    async def stop(self) -> None:
        """Stops accepting, ends calls, services and links, saves what is known, gives the folder free."""
        self._listening.stop_accepting()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._doorkeeper is not None:
            await self._doorkeeper.close()
        for service in reversed(self._services):
            await service.on_stop()
        await asyncio.gather(*(link.close("this node is stopping") for link in [*self._strangers]))
        await self._links.close()
        await self._listening.close()
        self._save()
        self.audit.close()
        self._lock.release()

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
    def hub_name(self) -> str:
        """The hub's name."""
        return self.identity.hub_line.name

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where members reach this node."""
        return self._listening.addresses

    def status(self) -> NodeStatus:
        """How this node is doing."""
        return node_status(self, self._services)

    def member_lines(self, target: str) -> list[MemberLine]:
        """The members a target selects, in natural order."""
        return [member_line(self, name) for name in self.expand(target)]

    def reachable_at(self) -> tuple[str, ...]:
        """Where other machines reach this one, as `host:port`."""
        hosts = own_addresses() if self.settings.bind == "*" else [self.settings.bind]
        port = self._listening.port
        return tuple(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host in hosts)

    def links(self) -> Sequence[Link]:
        """Every live link with a member."""
        return self._links.all()

    def live_link(self, name: str) -> Link | None:
        """The live link with a member, if there is one."""
        return self._links.live(name)

    def seen_of(self, caller: Caller) -> tuple[str, float | None]:
        """Host a caller's link comes from, and its round trip if it was measured (seconds)."""
        link = self._links.live(caller.name)
        return Address.parse(caller.address).host, link.round_trip if link else None

    def report(self) -> Report:
        """What this node says of itself."""
        hosts = () if self.settings.bind == "*" else (self.settings.bind,)
        runs = self.policy.allows_something
        return Report(self._listening.port, hosts, self.version, " ".join(os.uname()[::2]), runs)

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
        """See Context."""
        return self.presence.online | {self.name}

    async def link_to(self, name: str) -> Link:
        """See Context."""
        return await self._links.to(name)

    def decide(
        self, caller: Caller, argv: tuple[str, ...], environment: Mapping[str, str], folder: str
    ) -> policy.Allowed | policy.Refused:
        """See Context."""
        now = boot_clock()
        is_stale = self.hub is None and self.freshness.is_stale(now)
        machine = policy.Machine.here(stale=self.freshness.explain(now) if is_stale else "")
        who = policy.Caller(caller.name, caller.role or Role.GUEST, caller.key_hash)
        return policy.decide(self.policy, who, policy.Request(argv, environment, folder), machine)

    def watch_members(self, changed: Callable[[Change], None]) -> None:
        """See Context."""
        self._watchers.append(changed)

    # -- the guard's side ----------------------------------------------------------------------------------

    def adopt(self, roster: bytes) -> Refused | None:
        """Puts a newer roster in force, on disk first for the next start; says why not."""
        verdict = self.identity.book.judge(roster)
        if isinstance(verdict, Refused):
            if verdict.is_alarm:
                self.alarm(str(verdict))
            return verdict
        if verdict.number > self.identity.book.number:
            write_atomic(self.folder_of_state.roster, roster)
            change = self.identity.book.adopt(roster)
            assert isinstance(change, Change), "what was judged good is adopted"
            self._apply(change)
        return None

    def link_welcomed(self, link: Link) -> None:
        """A link with a member is open."""
        self._strangers.discard(link)
        self._links.add(link)
        if link.caller.name == self.hub_name:
            self.freshness.confirmed(boot_clock())

    def link_lost(self, link: Link, reason: str) -> None:
        """It is gone."""
        self._strangers.discard(link)
        self._links.discard(link)
        log.info("the link with %s is gone: %s", clean(link.caller.name), clean(reason))

    def alarm(self, text: str) -> None:
        """Something a person must look at: in the log, the audit and the status."""
        log.error("%s", clean(text))
        self.audit.append("alarm", details={"text": text})
        self.alarms = [*self.alarms[-9:], text]

    # -- private pieces ------------------------------------------------------------------------------------

    def _own(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    def _ended(self, task: asyncio.Future[None]) -> None:
        """A node whose standing work has failed stops, rather than going on by half."""
        if not task.cancelled() and task.exception() is not None:
            log.error("the node must stop", exc_info=task.exception())
            self.request_stop()

    def _factory(self, guard: RoomGuard | LocalGuard) -> ProtocolFactory:
        return link_factory(guard, self._table, boot=self._boot, limits=self.limits, opened=self._link_opened)

    def _link_opened(self, link: Link) -> None:
        self._strangers.add(link)
        link.when_gone(self._strangers.discard)

    def _put_in_force(self, roster: bytes) -> None:
        refused = self.adopt(roster)
        assert refused is None, f"the hub's own roster was refused: {refused}"

    def _apply(self, change: Change) -> None:
        loop = asyncio.get_running_loop()
        gone = {member.key_hash for member in change.removed}
        roles = {member.key_hash: member for _, member in (*change.role_changed, *change.renamed)}
        for member in change.removed:
            self.presence.forget(member.name)
        for link in self._links.all():
            member_now = roles.get(link.caller.key_hash)
            if link.caller.key_hash in gone:
                link.caller = replace(link.caller, role=None)
                loop.call_later(_FAREWELL, link.refuse, "this machine was removed from the room")
            elif member_now is not None:
                link.caller = replace(link.caller, name=member_now.name, role=member_now.role)
        for changed in self._watchers:
            changed(change)
        if self.identity.key_hash in gone:
            self.alarm(f"this machine was removed from the room {self.room}: ask an owner, or join again")

    async def _connect(self, name: str) -> Link:
        if name == self.name:
            raise ConnectFailed("a node has no link with itself")
        places = list(self.presence.of(name).addresses)
        if name == self.hub_name:
            places += [place for place in self.settings.hub if place not in places]
        last = ConnectFailed(f"no address of {name} is known: it has not been seen since this node joined")
        for place in places:
            try:
                return await self._connect_at(name, Address.parse(f"tcp://{place}"))
            except ConnectFailed as error:
                last = error
        raise last

    async def _connect_at(self, name: str, address: Address) -> Link:
        link = await open_link(
            address,
            self._guard,
            self._table,
            boot=self._boot,
            tls=self.identity.connecting,
            server_name=certificate_name(name, self.room),
            local_host=None if self.settings.bind in ("*", "0.0.0.0", "::") else self.settings.bind,
            timeout=self.limits.connect,
            limits=self.limits,
        )
        if link.caller.name != name:
            await link.close(f"{name} was expected here")
            raise ConnectFailed(f"{address} is {link.caller.name}, not {name}")
        return link

    def _own_presence(self) -> presence.Presence:
        hosts = tuple(own_addresses()) if self.settings.bind == "*" else (self.settings.bind,)
        report = msgspec.structs.replace(self.report(), hosts=hosts)
        return presence.presence_of(self.name, report, hosts[0], now=civil_now(), round_trip=0.0)

    def _learn(self, news: News) -> None:
        if news.roster:
            self.adopt(news.roster)
        self.presence.learn(news)
        self.freshness.confirmed(boot_clock())
        self.presence.take_changes()

    def _hub_away(self) -> None:
        self.presence.all_offline()

    async def _keep_house(self) -> None:
        while True:
            await asyncio.sleep(_ROUND)
            if self.hub_link is not None and self.hub_link.is_there:
                self.freshness.confirmed(boot_clock())
            await self._links.close_idle(lambda link: link.caller.name == self.hub_name, now=time.monotonic())
            await asyncio.to_thread(self._save)

    def _save(self) -> None:
        save_sealed(self.folder_of_state.presence, presence.KIND, self.presence.rows())
        save_freshness(self.folder_of_state, self.freshness)
