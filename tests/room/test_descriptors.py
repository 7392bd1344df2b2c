"""Claims about the limit of descriptors: a node has many, its children what it was started with."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import resource, subprocess, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
from lanline.room.descriptors import give_first_limit, raise_descriptor_limit
raise_descriptor_limit()
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
assert soft == hard > 64, (soft, hard)
child = subprocess.Popen(["sleep", "9"])
assert resource.prlimit(child.pid, resource.RLIMIT_NOFILE) == (hard, hard)
give_first_limit(child.pid)
print(resource.prlimit(child.pid, resource.RLIMIT_NOFILE) == (64, hard))
child.kill()
child.wait()
give_first_limit(child.pid)  # it has gone: nothing to do, and no error
print(resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard))
"""


def test_a_child_gets_the_limit_of_the_start_and_the_node_keeps_its_own() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=20, check=False)
    assert done.stdout.split() == ["True", "True"], done
