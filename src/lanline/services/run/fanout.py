"""One command on many machines: asks all, merges what they answer into one stream, and sums up.

Rules. The request is encoded once. This machine itself is asked without a link, and judged like any other. Exactly one
end is reported for each machine: *unreachable* when it is certain that nothing was started there, *lost* when it is
not. What waits unread is bounded for the whole fan-out, however many it asks: each machine may have its share of
`_BUDGET_BYTES` under way. When the client goes, the calls go, and with them every job.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, TypeVar

import msgspec

from lanline.errors import CallError, ChannelEnded, ConnectFailed, NotAllowed, Status, UsageError
from lanline.link.call import Call
from lanline.link.caller import Caller
from lanline.link.link import Link
from lanline.link.values import encode
from lanline.roles import Role
from lanline.room.context import Context
from lanline.room.target import fold
from lanline.services.run.host import JobHost
from lanline.services.run.outcome import Cancelled, Ended, Lost, Outcome, Refused, Unreachable
from lanline.services.run.report import INDEX, FanOut, MemberEnded, MemberStarted, Plan, Verdict, verdict_on
from lanline.services.run.spec import Go, Signal, Started, Stop, Word

_BUDGET_BYTES = 16 * 1024 * 1024
_LEAST_WINDOW = 64 * 1024
_MOST_WINDOW = 4 * 1024 * 1024

_MOST_TEXT = 500
"""Characters of a sentence that a machine says about its end."""

_T = TypeVar("_T")

_START = "run.start"
_NOT_BEGUN = (Status.NOT_FOUND, Status.BAD_MESSAGE, Status.OVERLOADED, Status.TOO_LARGE)
"""What a machine answers when it understood the caller and did not do it."""


class Member:
    """One machine of a fan-out.

    Attributes:
        index: its number.
        name: its name.
        call: once it was asked, and until it has answered.
        has_started: the command runs there, or ran.
        waiting: ends the wait before it was asked, when somebody stops the fan-out.
    """

    def __init__(self, index: int, name: str) -> None:
        self.index = index
        self.name = name
        self.prefix = INDEX.pack(index)
        self.call: Any = None
        self.has_started = False
        self.waiting: asyncio.Timeout | None = None


class FanOutRun:
    """One fan-out, from its request to its verdict.

    Args:
        context: the node.
        host: runs it on this machine itself.
        request: what the client wants.
        caller: this machine's own user.
        client: the call of the client.
    """

    def __init__(self, context: Context, host: JobHost, request: FanOut, caller: Caller, client: Call) -> None:
        self._context = context
        self._host = host
        self._request = request
        self._caller = caller
        self._client = client
        self._encoded = encode((request.spec,))
        self._stopped: Stop | None = None
        self._members: list[Member] = []
        self._ends: dict[str, Ended] = {}

    async def run(self) -> Verdict:
        """Asks every machine and returns when all have ended.

        Raises:
            NotAllowed: this machine's own role does not reach that far: no other would run it.
            TargetError: the target selects nobody.
            UsageError: the client left before it said yes to the plan.
        """
        request = self._request
        self._check_role()
        names = self._context.expand(request.target, without=request.without)
        waits = request.asks_above is not None and len(names) > request.asks_above
        await self._client.send(Plan(tuple(names), fold(names), waits))
        if waits:
            await self._wait_go()
        self._members = [Member(index, name) for index, name in enumerate(names)]
        await self._ask_all()
        return verdict_on(self._ends, _fold)

    def _check_role(self) -> None:
        role = self._caller.role
        if role is None or role < Role.OPERATOR:
            has = role.word if role is not None else "not in it any more"
            raise NotAllowed(
                f"running commands takes the role operator, and {self._context.name} is {has} in the room "
                f"{self._context.room}",
                advice=f"an owner can change that: lanline members role {self._context.name} operator.",
            )

    async def _wait_go(self) -> None:
        try:
            word = msgspec.convert(await self._client.receive(), Word)
        except (ChannelEnded, msgspec.ValidationError):
            word = None
        if not isinstance(word, Go):
            raise UsageError("nobody said yes to the machines of the plan, so nothing was started")

    async def _ask_all(self) -> None:
        at_once = min(self._request.at_once, len(self._members))
        self._slots = asyncio.Semaphore(at_once)
        self._window = max(_LEAST_WINDOW, min(_MOST_WINDOW, _BUDGET_BYTES // at_once))
        loop = asyncio.get_running_loop()
        listening = loop.create_task(self._listen())
        asked = [loop.create_task(self._ask(member)) for member in self._members]
        try:
            await asyncio.gather(*asked)
        finally:
            for one in (listening, *asked):
                one.cancel()
            await asyncio.wait((listening, *asked))
        if not listening.cancelled():
            listening.result()

    # -- one machine ---------------------------------------------------------------------------------------

    async def _ask(self, member: Member) -> None:
        ended = _bounded(await self._end_of(member))
        self._ends[member.name] = ended
        await self._client.send(MemberEnded(member.index, ended))

    async def _end_of(self, member: Member) -> Ended:
        if (stopped := await self._unless_stopped(member, self._slots.acquire)) is not True:
            return Ended(stopped)
        try:
            if member.name == self._context.name:
                return await self._run_here(member)
            link = await self._unless_stopped(member, partial(self._context.link_to, member.name))
            return await self._run_there(member, link) if isinstance(link, Link) else Ended(link)
        except ConnectFailed as error:
            return Ended(Unreachable(str(error)))
        finally:
            self._slots.release()

    async def _unless_stopped(self, member: Member, wait: Callable[[], Awaitable[_T]]) -> _T | Cancelled:
        """What is waited for, unless the client stops the fan-out before it comes."""
        if self._stopped is None:
            try:
                async with asyncio.timeout(None) as member.waiting:
                    return await wait()
            except TimeoutError:
                pass  # `_obey` has ended the wait: `_stopped` says why
            finally:
                member.waiting = None
        return Cancelled(self._stopped.reason if self._stopped is not None else "")

    async def _run_here(self, member: Member) -> Ended:
        member.call = inner = _OwnCall(self, member)
        try:
            return await self._host.run(self._request.spec, self._caller, inner)
        finally:
            member.call = None

    async def _run_there(self, member: Member, link: Link) -> Ended:
        try:
            async with link.open_encoded(_START, self._encoded, items=Started, window=self._window) as call:
                member.call = call
                async for item in call:
                    await self.pass_on(member, item)
                return msgspec.convert(call.result, Ended)
        except CallError as error:
            return Ended(_outcome_of(error, has_started=member.has_started))
        except msgspec.ValidationError as error:
            return Ended(Lost(f"its last word could not be read: {error}"))
        finally:
            member.call = None

    async def pass_on(self, member: Member, item: Any, prefix: bytes = b"") -> None:
        """Hands one item of a machine to the client. Output gets the number of the machine before it."""
        if isinstance(item, Started):
            member.has_started = True
            await self._client.send(MemberStarted(member.index, item))
        else:
            await self._client.send(item, prefix=member.prefix + prefix)

    # -- the client's words --------------------------------------------------------------------------------

    async def _listen(self) -> None:
        try:
            while True:
                await self._obey(msgspec.convert(await self._client.receive(), Word))
        except (ChannelEnded, CallError):
            return
        except msgspec.ValidationError as error:
            await self._obey(Stop(f"the client said what its node does not understand: {error}"))

    async def _obey(self, word: Word) -> None:
        if isinstance(word, Stop):
            self._stopped = word
            now = asyncio.get_running_loop().time()
            for member in self._members:
                if member.waiting is not None:
                    member.waiting.reschedule(now)
        if isinstance(word, Stop | Signal):
            # All at once: a machine that takes nothing now must not keep the word from the others.
            calls = [member.call for member in self._members if member.call is not None]
            await asyncio.gather(*(_say(call, word) for call in calls))


class _OwnCall:
    """What stands for the call when a machine asks itself. Words that come before the job does are kept for it."""

    def __init__(self, run: FanOutRun, member: Member) -> None:
        self._run = run
        self._member = member
        self._words: list[Word] = []
        self._take: Callable[[Any], object] | None = None

    async def send(self, item: Any, *, prefix: bytes = b"") -> None:
        """From the job: to the client."""
        await self._run.pass_on(self._member, item, prefix)

    def listen(self, take: Callable[[Any], object]) -> None:
        """From the job: it hears the client from now on."""
        self._take = take
        for word in self._words:
            take(msgspec.to_builtins(word))

    def say(self, word: Word) -> None:
        """From the client."""
        if self._take is None:
            self._words.append(word)
        else:
            self._take(msgspec.to_builtins(word))


async def _say(call: Any, word: Word) -> None:
    if isinstance(call, _OwnCall):
        call.say(word)
        return
    try:
        await call.send(word)
    except CallError:
        return  # it has ended meanwhile, and says so itself


def _outcome_of(error: CallError, *, has_started: bool) -> Outcome:
    """What a call that did not end well says about the command."""
    advice = error.details.get("advice", "")
    if error.status is Status.REFUSED:
        return Refused("role", error.text, advice)
    if error.status in _NOT_BEGUN and not error.may_have_run:
        return Refused(error.status.name.lower(), error.text, advice)
    if not has_started and not error.may_have_run:
        return Unreachable(error.text)
    return Lost(error.text or str(error))


def _bounded(ended: Ended) -> Ended:
    """The same with its sentences cut: they are a peer's, and are kept until all have ended."""
    outcome = ended.outcome
    texts = {name: getattr(outcome, name, "") for name in ("text", "reason", "advice", "rule", "signal")}
    long = {name: text[:_MOST_TEXT] + "..." for name, text in texts.items() if len(text) > _MOST_TEXT}
    if not long:
        return ended
    return msgspec.structs.replace(ended, outcome=msgspec.structs.replace(outcome, **long))


def _fold(names: Iterable[str]) -> str:
    return fold(list(names))
