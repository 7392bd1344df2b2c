"""Commands that make no sense are not made."""

from __future__ import annotations

import math

import pytest

from lanline.errors import UsageError
from lanline.services.run.command import Command


@pytest.mark.parametrize("timeout", [0, -1.0, math.nan, math.inf])
def test_a_timeout_is_a_positive_number_of_seconds(timeout: float) -> None:
    with pytest.raises(UsageError, match="timeout"):
        Command(("true",), timeout=timeout)


@pytest.mark.parametrize("kill_after", [-0.1, math.nan, math.inf])
def test_a_grace_is_a_number_of_seconds_from_zero_up(kill_after: float) -> None:
    with pytest.raises(UsageError, match="killing"):
        Command(("true",), kill_after=kill_after)


def test_a_command_without_times_runs_until_it_ends() -> None:
    command = Command(("true",))
    assert (command.timeout, command.kill_after) == (None, 5.0)
