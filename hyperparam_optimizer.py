"""The ``search`` command: train every hidden-layer stack of a grid and show which one to keep."""

from __future__ import annotations

import sys

from autoenc.cli import main

if __name__ == "__main__":
    sys.exit(main(["search", *sys.argv[1:]], prog="hyperparam_optimizer.py"))
