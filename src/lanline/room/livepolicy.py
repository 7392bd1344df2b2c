"""The policy in force on a running node: the file as it is now, read again whenever it has changed.

Asked before each decision; what it costs then is one stat(2). Rules: what cannot be read refuses everything, with the
reason; a change is in the audit before it is in force, and while the audit takes nothing everything is refused. What
runs already goes on: a policy says what may begin. An edit of one length within one tick of the kernel's clock, some
milliseconds after the last reading, would go unnoticed.

Thread-safe: decisions are made in threads.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path

from lanline.clean import clean
from lanline.errors import StateNotSaved
from lanline.room.audit import AuditLog
from lanline.room.policy import Policy
from lanline.room.policyfile import explain_rule, load_policy

log = logging.getLogger("lanline.room")

_Facts = tuple[int, ...]


class LivePolicy:
    """One node's policy file.

    Args:
        path: the file, which need not exist.
        audit: where each change is recorded.
    """

    def __init__(self, path: Path, audit: AuditLog) -> None:
        self.changed: Callable[[], object] = _nobody
        """Called after another policy came in force, in the thread that has noticed."""
        self._path = path
        self._audit = audit
        self._lock = threading.Lock()
        # Before the content: an edit in between is then read once more, and never missed.
        self._facts = self._look()
        self._policy = load_policy(path)

    def __repr__(self) -> str:
        return f"<LivePolicy {self._path} rules={len(self._policy.rules)}>"

    @property
    def is_current(self) -> bool:
        """Whether the file is the one that was read last. Never waits."""
        return self._look() == self._facts

    def now(self) -> Policy:
        """The policy in the file. Waits for the disk when the file has changed."""
        if self.is_current:
            return self._policy
        with self._lock:
            facts = self._look()
            if facts == self._facts:
                return self._policy  # another thread has read it meanwhile
            policy = load_policy(self._path)
            words = changes_in_words(self._policy, policy)
            try:
                self._record(words)
            except StateNotSaved as error:
                return Policy(fault=f"{self._path.name} has changed and the audit cannot record that: {error}.")
            self._policy, self._facts = policy, facts
        if words:
            self.changed()
        return policy

    def _record(self, words: list[str]) -> None:
        if words:
            self._audit.append("policy", details={"change": words})
            log.info("the policy has changed: %s", clean("; ".join(words)))

    def _look(self) -> _Facts:
        try:
            facts = os.lstat(self._path)
        except OSError as error:
            return (error.errno or 0,)
        # ctime and mode: a file that others may change from now on is refused, though its content is the same.
        return (facts.st_mtime_ns, facts.st_ctime_ns, facts.st_size, facts.st_ino, facts.st_mode)


def changes_in_words(old: Policy, new: Policy) -> list[str]:
    """What a newer policy changes, in words for people; empty when it says the same."""
    if new.fault:
        return [f"everything is refused: {new.fault}"] if new.fault != old.fault else []
    words = ["it can be read again"] if old.fault else []
    words += [f"gone: {explain_rule(rule)}" for rule in old.rules if rule not in new.rules]
    words += [f"new: {explain_rule(rule)}" for rule in new.rules if rule not in old.rules]
    if not words and old.rules != new.rules:
        words.append("the order of the rules is another")
    if old.recipes != new.recipes:
        words.append(f"the recipes are now {', '.join(new.recipes) or 'none'}")
    for name in ("allow_root", "run_when_stale"):
        if getattr(old, name) != getattr(new, name):
            words.append(f"{name} is now {str(getattr(new, name)).lower()}")
    return words


def _nobody() -> None:
    """Nobody wants to know."""
