"""Search an autoencoder's hidden layers: exhaustively, adaptively, or training the best of a search."""

from __future__ import annotations

import sys

from autoenc.__main__ import run

if __name__ == "__main__":
    sys.exit(run("hyperparam_optimizer.py"))
