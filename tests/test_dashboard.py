"""The record in Optuna's own dashboard, seen by a real browser."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("optuna_dashboard", reason="optuna-dashboard is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture
def dashboard(call, table_csv, tmp_path) -> Iterator[tuple[str, float]]:
    """The dashboard's address, and the best loss of the search that it shows."""
    options = ["--hidden_dims_search", "4,8", "--max_layers", "2", "--epochs", "2"]
    assert call("search", "--data_path", table_csv, "--output_dir", tmp_path, *options).code == 0
    best = float((tmp_path / "hyperparam_results_latent3.csv").read_text().splitlines()[1].split(",")[4])
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(Path(sys.executable).with_name("optuna-dashboard")), str(tmp_path / "study.journal")]
    with subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        address = f"http://127.0.0.1:{port}"
        for _ in range(200):
            try:
                urllib.request.urlopen(address, timeout=5).close()
                break
            except OSError:
                time.sleep(0.1)
        yield address, best
        server.terminate()


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_the_dashboard_shows_the_best_trial(dashboard, tmp_path) -> None:
    address, best = dashboard
    page = subprocess.run(
        [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         f"--user-data-dir={tmp_path}/profile", "--virtual-time-budget=15000", "--dump-dom",
         f"{address}/dashboard/studies/0"],
        capture_output=True, text=True, timeout=120,
    ).stdout  # fmt: skip
    assert "Best Trial" in page
    assert str(best) in page
