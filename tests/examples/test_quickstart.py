"""The notebook runs from top to bottom, and shows results and pictures; the shell script runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest


def shown(cell: Any, kind: str) -> list[str]:
    """What a cell shows of a kind, such as image/png."""
    return [output["data"][kind] for output in cell.outputs if kind in output.get("data", {})]


@pytest.mark.slow
def test_the_notebook_runs(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    monkeypatch.setenv("PYTHONPATH", str(root))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = nbformat.read(root / "examples" / "quickstart.ipynb", as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells), "it is kept without outputs"
    resources = {"metadata": {"path": str(tmp_path)}}
    done = nbclient.NotebookClient(
        notebook, timeout=200, kernel_name="python3", resources=resources
    ).execute()
    cells = {cell.source: cell for cell in done.cells if cell.cell_type == "code"}
    for source, cell in cells.items():
        last = source.splitlines()[-1]
        if last.endswith(".figure"):
            assert shown(cell, "image/png"), last
        elif last in {"results", "fitted"}:
            assert "<h4>" in shown(cell, "text/html")[0], last
        else:
            assert shown(cell, "text/html"), last
    bars = [text for cell in cells.values() for text in shown(cell, "text/plain") if "%|" in text]
    said = [
        output.text for cell in cells.values() for output in cell.outputs if output.output_type == "stream"
    ]
    assert bars or any("stack" in text and "%|" in text for text in said), "no bar was shown"


@pytest.mark.slow
def test_the_script_for_latent_sizes_runs(root: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(root / "data" / "stains.csv").head(80)
    frame.to_csv(tmp_path / "table.csv", index=False)
    program = tmp_path / "bin" / "autoenc"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m autoenc "$@"\n')
    program.chmod(0o755)
    environment = {
        **os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "PYTHONPATH": str(root),
    }  # fmt: skip
    script = root / "examples" / "latent_dims.sh"
    run = subprocess.run(
        [script, "table.csv", "1,2", "out"], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout + run.stderr
    for name in ("best_model_latent1.pth", "best_model_latent2.pth", "latent_comparison.png", "report.html"):
        assert (tmp_path / "out" / name).is_file(), name
