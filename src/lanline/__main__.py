"""`python -m lanline`: the same as the command `lanline`, for where it is not on PATH."""

from __future__ import annotations

import sys

from lanline.ui.cli import main

if __name__ == "__main__":
    sys.exit(main())
