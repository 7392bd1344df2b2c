"""What people are told of a node and its room: records made from the node's parts. Decides nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from lanline.link.service import Service
from lanline.room.freshness import boot_clock
from lanline.room.keys import short_key
from lanline.room.policyfile import explain_rule
from lanline.room.records import MemberLine, NodeStatus
from lanline.room.roster import Member

if TYPE_CHECKING:
    from lanline.room.node import Node


def node_status(node: Node, services: Sequence[Service]) -> NodeStatus:
    """How a node is doing."""
    roster = node.identity.book.current
    is_hub = node.hub is not None
    line = node.identity.own_line
    return NodeStatus(
        name=node.name,
        room=node.room,
        role=line.role.word if line else "removed",
        is_hub=is_hub,
        pid=os.getpid(),
        version=node.version,
        uptime=time.monotonic() - node.started_at,
        listens=tuple(str(address) for address in node.addresses),
        waiting_for=node.hub_link.waiting_for if node.hub_link else "",
        roster_number=roster.number,
        members=len(roster.members),
        online=len(node.online()),
        roster_age=0.0 if is_hub else node.freshness.age(boot_clock()),
        is_locked=node.hub is not None and node.hub.is_locked,
        invitations=len(node.hub.invitations.open_now(time.monotonic())) if node.hub else 0,
        policy=_policy_words(node),
        runs=node.policy.runs_something_as(os.geteuid()),
        links=len(node.links()),
        alarms=node.alarms,
        services={service.name: service.figures() for service in services},
        hub=node.hub_name,
        reachable_at=node.reachable_at(),
    )


def member_lines(node: Node, names: Iterable[str]) -> list[MemberLine]:
    """Members with what presence knows of them.

    Args:
        node: who is asked.
        names: members of the roster.
    """
    roster = node.identity.book.current
    members = {member.name: member for member in roster.members}
    online = node.online()
    return [_member_line(node, members[name], roster.hub, online) for name in names]


def _member_line(node: Node, member: Member, hub: bytes, online: frozenset[str]) -> MemberLine:
    name = member.name
    is_self = name == node.name
    row = node.presence.of(name)
    link = node.live_link(name)
    measured = link.round_trip if link is not None else None
    return MemberLine(
        name,
        member.role.word,
        member.key_hash == hub,
        is_self,
        name in online,
        row.addresses,
        node.version if is_self else row.version,
        row.system,
        node.policy.runs_something_as(os.geteuid()) if is_self else row.runs,
        row.round_trip if measured is None else measured,
        row.last_seen,
        short_key(member.key_hash),
    )


def _policy_words(node: Node) -> tuple[str, ...]:
    if node.policy.fault:
        return (node.policy.fault,)
    words = [explain_rule(rule) for rule in node.policy.rules]
    if words and os.geteuid() == 0 and not node.policy.allow_root:
        words.append(
            "But this node runs as root, and as root it runs nothing for others until lanline up --allow-root."
        )
    return tuple(words)
