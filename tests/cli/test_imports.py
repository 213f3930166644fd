"""What the program loads before it is needed: nothing that takes longer than what was asked for."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {
    "cmaes", "dask", "matplotlib", "numba", "numpy", "optuna", "pandas", "plotly", "pyarrow", "pydantic",
    "scipy", "scipy.linalg", "scipy.special", "sklearn", "sqlalchemy", "torch", "tqdm", "yaml",
    "autoenc.fitted", "autoenc.settings.transfer", "autoenc.settings.tune", "autoenc.tuning",
    "autoenc.two_stage",
}  # fmt: skip
"""Libraries, and parts of the package, whose import takes more than a few milliseconds."""

FIRST_FIT = """
from autoenc.engines.native import NativeEngine

def fit(self, *args, **more):
    tell()
    os._exit(0)

NativeEngine.fit = fit
"""


def loaded(code: str, tmp_path) -> set[str]:
    """Heavy libraries that a process has loaded by the time it calls ``tell``."""
    tell = f"""
import json, os, sys

def tell():
    with open({str(tmp_path / "told.json")!r}, "w") as file:
        json.dump(sorted({{name.split(".")[0] for name in sys.modules}} | {{*sys.modules}}), file)
"""
    run = subprocess.run(
        [sys.executable, "-c", f"{tell}\n{code}"], capture_output=True, text=True, cwd=tmp_path, timeout=300
    )
    assert (tmp_path / "told.json").exists(), run.stderr
    return HEAVY & {*json.loads((tmp_path / "told.json").read_text())}


def test_the_package_loads_no_library(tmp_path):
    assert loaded("import autoenc\ntell()", tmp_path) == set()


@pytest.mark.parametrize("words", [["--help"], ["--version"]])
def test_help_loads_no_library(words, tmp_path):
    code = f"""
import atexit
atexit.register(tell)
from autoenc.cli import main
main({words})
"""
    assert loaded(code, tmp_path) == set()


@pytest.fixture
def search(tmp_path) -> str:
    """Code that searches a small table."""
    rows = [[(7 * i + 3 * j * j) % 11 / 10 for j in range(3)] for i in range(60)]
    (tmp_path / "t.csv").write_text("a,b,c\n" + "\n".join(",".join(map(str, row)) for row in rows))
    words = ["--data_path", "t.csv", "--hidden_dims_search", "8", "--max_layers", "1", "--latent_dim", "1"]
    return f"""
from autoenc.cli import main
main(["search", *{words}, "--output_dir", "out", "--quiet"])
"""


ALWAYS = {"numpy", "optuna", "pandas", "pydantic", "tqdm"}
BY_PANDAS = {"pyarrow"}
"""What pandas loads where it is installed."""


def test_a_search_loads_what_it_uses_before_its_first_fit(search, compiled_engine, tmp_path):
    assert loaded(FIRST_FIT + search, tmp_path) - BY_PANDAS == ALWAYS


def test_a_search_whose_kernels_are_compiled_loads_no_compiler(search, compiled_engine, tmp_path):
    assert loaded(f"{search}\ntell()", tmp_path) - BY_PANDAS == ALWAYS | {"matplotlib"}


def test_a_search_that_has_nothing_to_train_loads_nothing_that_draws_or_compiles(search, tmp_path):
    assert "matplotlib" in loaded(f"{search}\ntell()", tmp_path)
    assert loaded(f"{search}\ntell()", tmp_path) - BY_PANDAS == ALWAYS


def test_showing_a_search_loads_no_more_than_what_its_record_needs(search, tmp_path) -> None:
    loaded(f"{search}\ntell()", tmp_path)
    analyze = 'from autoenc.cli import main\nmain(["analyze", "out"])\ntell()'
    loaded(analyze, tmp_path)  # the first time may draw
    assert loaded(analyze, tmp_path) - BY_PANDAS <= ALWAYS
    runs = 'from autoenc.cli import main\nmain(["runs", "out"])\ntell()'
    assert loaded(runs, tmp_path) == {"numpy", "pydantic"}


def test_a_search_from_python_that_draws_nothing_loads_nothing_that_draws(search, tmp_path) -> None:
    code = (
        "import autoenc\nautoenc.search('t.csv', latent_dim=1, hidden_dims_search=(8,), quiet=True)\ntell()"
    )
    assert not {"matplotlib", "torch"} & loaded(code, tmp_path)


def test_a_notebook_without_widgets_is_told_nothing(tmp_path) -> None:
    """Optuna imports the bar that complains of it, and the result shows a bar of text."""
    code = """
import sys
from types import SimpleNamespace
sys.modules |= {"ipywidgets": None, "ipykernel.zmqshell": SimpleNamespace()}
kernel = SimpleNamespace(config={"IPKernelApp": {}})
sys.modules["IPython"] = SimpleNamespace(get_ipython=lambda: kernel)
import autoenc
autoenc.search
assert "tqdm.auto" in sys.modules
"""
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, timeout=300
    )
    assert run.returncode == 0, run.stderr
    assert "IProgress" not in run.stderr
