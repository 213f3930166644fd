"""The example of scikit-learn's pipelines runs, and so does the documentation's."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest


def test_the_example_compares_and_searches(root: Path, monkeypatch: Any, capsys: Any) -> None:
    spec = importlib.util.spec_from_file_location("sklearn_pipeline", root / "examples/sklearn_pipeline.py")
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    monkeypatch.setattr(sys, "argv", ["sklearn_pipeline.py", "--rows", "150", "--epochs", "5"])
    example.main()
    said = capsys.readouterr().out
    for word in ("all columns  R2", "PCA          R2", "autoencoder  R2", "best size", "latent_4"):
        assert word in said


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_example_of_the_documentation_runs(root: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(root)
    section = (root / "docs" / "python.md").read_text().split("## With scikit-learn\n")[1]
    found: dict[str, Any] = {}
    exec(compile(section.split("```python\n")[1].split("```")[0], "python.md", "exec"), found)
    assert found["grid"].best_params_["latent__latent_dim"] in (2, 3)
    assert len(found["search"].leaderboard_) == 5
