"""The process of a detached node: `python -P -m lanline.ui.detached FOLDER REPORT SECRET`, started by `detach.py`.

Its passphrase comes in over one pipe; over another goes one line, when it serves or why it does not. Then it is alone:
its own session, the root folder, a log file.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback

from lanline.errors import LanlineError
from lanline.room.paths import StateFolder
from lanline.room.records import NodeStatus


def main(folder: StateFolder, report: int, secret: int) -> int:
    """Runs the node; returns the exit code of this process.

    Args:
        folder: the node's state.
        report: descriptor of the pipe that the starting process reads; one line of JSON is written to it.
        secret: descriptor of the pipe that holds two values as JSON, each may be null: the passphrase, and settings
            to serve with in place of those on disk.
    """
    os.chdir("/")  # a node holds no file system that somebody wants to unmount

    def tell(line: dict[str, object]) -> None:
        nonlocal report
        if report >= 0:
            os.write(report, json.dumps(line).encode() + b"\n")
            os.close(report)
            report = -1

    def is_up(status: NodeStatus) -> None:
        tell({"up": status.pid})

    with open(secret, "rb") as pipe:
        passphrase, changed = json.loads(pipe.read())
    try:
        from lanline.room.settings import Settings
        from lanline.ui.daemon import run_node
        from lanline.ui.logs import log_to_file

        log_to_file(folder.log)
        run_node(folder, passphrase, is_up, Settings.parse(changed) if changed else None)
    except LanlineError as error:
        logging.getLogger("lanline.node").error("%s", error)
        tell({"error": type(error).__name__, "text": str(error), "advice": error.advice})
        return error.exit_code
    except Exception as error:
        traceback.print_exc()  # to the log: standard error is the log file
        tell({"error": "", "text": f"the node failed while it was starting, {type(error).__name__}", "advice": ""})
        return 70
    return 0


if __name__ == "__main__":
    sys.exit(main(StateFolder(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
