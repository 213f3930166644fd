"""Search an autoencoder's hidden layers: exhaustively, adaptively, or training the best of a search."""

from __future__ import annotations

import sys

try:
    from autoenc.__main__ import run
except KeyboardInterrupt:  # before there is anything to be stopped in order
    print("stopped by SIGINT", file=sys.stderr)
    sys.exit(130)

if __name__ == "__main__":
    sys.exit(run("hyperparam_optimizer.py"))
