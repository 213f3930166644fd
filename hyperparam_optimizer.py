"""Search an autoencoder's hidden layers: exhaustively, adaptively, or training the best of a search."""

from __future__ import annotations

import sys

from autoenc.cli import main_by_mode

if __name__ == "__main__":
    sys.exit(main_by_mode(sys.argv[1:], prog="hyperparam_optimizer.py"))
