"""What every benchmark needs: medians of several rounds, and a table of rates and ratios.

Rule: contestants take turns, round by round, so that a slow moment of the machine hits all of them. A figure
without its peer from the same run is not printed.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple


class Row(NamedTuple):
    """One line of a report."""

    name: str
    rate: float
    """Things per second."""

    unit: str
    ratio: float
    """This rate divided by the peer's; 1.0 for the peer itself."""


def measure(call: Callable[[], object], rounds: int = 7) -> float:
    """Median seconds of one call, after one that does not count."""
    call()
    return statistics.median(_seconds(call) for _ in range(rounds))


def measure_in_turns(calls: Mapping[str, Callable[[], object]], rounds: int = 7) -> dict[str, float]:
    """Median seconds of each call; in every round each is called once, after a round that does not count."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    for _ in range(rounds):
        for name, call in calls.items():
            taken[name].append(_seconds(call))
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def compare(seconds: Mapping[str, float], things: float, unit: str, peer: str) -> list[Row]:
    """Rates from times for the same number of things, each beside the peer's."""
    return [Row(name, things / taken, unit, seconds[peer] / taken) for name, taken in seconds.items()]


def report(title: str, rows: Sequence[Row]) -> None:
    """Prints the rows, aligned, below their title."""
    print(f"\n{title}")
    width = max(len(row.name) for row in rows)
    for row in rows:
        print(f"  {row.name:<{width}}  {row.rate:>14,.0f} {row.unit}  {row.ratio:>6.2f} x")


def _seconds(call: Callable[[], object]) -> float:
    gc.collect()
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
