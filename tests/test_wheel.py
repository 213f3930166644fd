"""What is installed from a wheel works anywhere, and needs nothing but what it says that it needs."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest

PROJECTS = {
    "yaml": "pyyaml", "sklearn": "scikit-learn", "python_calamine": "python-calamine",
    "llvmlite": "numba", "joblib": "scikit-learn", "mlflow": "mlflow-skinny", "sqlalchemy": "optuna",
}  # fmt: skip
"""Where a module comes from, if the project has another name."""


def declared(root: Path) -> set[str]:
    """Names of the projects that the package or one of its extras for users depends on."""
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    words = [*project["dependencies"], *(word for name in extras if name != "test" for word in extras[name])]
    return {re.split(r"[\[<>=;~! ]", word)[0].lower() for word in words}


def test_every_library_that_is_imported_is_declared(root: Path) -> None:
    imported = set()
    for path in (root / "autoenc").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                imported.add(node.module.split(".")[0])
    brought = {"polars"}  # by a frame of its own
    others = imported - {*sys.stdlib_module_names, "autoenc", *brought}
    assert {PROJECTS.get(name, name) for name in others} <= declared(root)


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel, built from a copy of what is needed for one."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(root / name, source)
    shutil.copytree(root / "autoenc", source / "autoenc", ignore=shutil.ignore_patterns("__pycache__"))
    command = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        source / "dist",
        source,
    ]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    (path,) = (source / "dist").glob("*.whl")
    return path


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_the_package(root: Path, wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith("autoenc/")}
    files = {path.relative_to(root).as_posix() for path in (root / "autoenc").rglob("*") if path.is_file()}
    assert packed == {name for name in files if "__pycache__" not in name}


@pytest.mark.slow
def test_an_installed_wheel_works_outside_the_checkout(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "env"
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    python = environment / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", wheel]
    subprocess.run(install, check=True)
    (packages,) = (environment / "lib").glob("python*/site-packages")
    # Its dependencies are those of this environment; a folder that is added so is searched for modules alone.
    (packages / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"])
    place = tmp_path / "elsewhere"
    place.mkdir()

    def run(*words: str | Path) -> str:
        done = subprocess.run(words, cwd=place, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    lines = run(
        python, "-c", "import autoenc, autoenc.datasets as d; print(autoenc.__file__); print(d.stains_path())"
    )
    home, table = lines.split()
    assert Path(home).is_relative_to(packages)
    program = environment / "bin" / "autoenc"
    assert run(program, "--version").startswith("autoenc ")
    small = ["--hidden_dims_search", "4", "--max_layers", "1", "--epochs", "1", "--save_models"]
    assert "2,008 rows" in run(program, "search", "--data_path", table, *small)
    run(program, "encode", "--model", "output/best_model_latent3.pth", "--data_path", table)
    assert len((place / "latents.csv").read_text().splitlines()) == 2009
    report = "import autoenc; print(len(autoenc.load_results('output').leaderboard))"
    assert run(python, "-c", report)
