"""What the kernel's clock says, read and never set."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import pytest

from lanline.services.clock.discipline import UNKNOWN, Discipline, judge, read_discipline


def test_an_unsynchronised_clock_is_known_by_either_sign() -> None:
    assert judge(5, 0, 100) == UNKNOWN
    assert judge(0, 0x40, 100) == UNKNOWN
    assert judge(-1, 0, 100) == UNKNOWN


def test_a_kept_clock_has_a_bound_and_its_leap_second() -> None:
    assert judge(0, 0x2001, 1500) == Discipline(True, 1_500_000, 0)
    assert judge(1, 0x11, 0) == Discipline(True, 0, 1)
    assert judge(2, 0x21, -3) == Discipline(True, 0, 2)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux has adjtimex")
def test_the_state_is_the_one_that_the_system_reports() -> None:
    found = read_discipline()
    assert found.max_error_ns >= 0
    if tool := shutil.which("adjtimex"):
        said = subprocess.run([tool, "--print"], capture_output=True, text=True, timeout=10, check=True).stdout
        status = re.search(r"status: (\d+)", said)
        assert status is not None
        assert found.is_synchronised is not bool(int(status[1]) & 0x40)
    assert isinstance(found.is_synchronised, bool)
