"""``python -m autoenc``."""

from __future__ import annotations

import sys

from autoenc.cli import main

if __name__ == "__main__":
    sys.exit(main())
