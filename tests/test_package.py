"""The public names, loaded when they are first used."""

from __future__ import annotations

import subprocess
import sys

import pytest

import autoenc


def test_every_public_name_is_there():
    for name in autoenc.__all__:
        assert getattr(autoenc, name).__name__ == name


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'autoenc' has no attribute 'ArchitectureGird'"):
        autoenc.ArchitectureGird  # noqa: B018


def test_importing_the_package_does_not_import_torch(root):
    heavy = {"torch", "pandas", "matplotlib", "yaml", "sklearn"}
    code = f"import sys, autoenc.cli; print({heavy} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


def test_the_package_says_that_it_is_typed(root):
    assert (root / "autoenc" / "py.typed").exists()


@pytest.mark.slow
def test_a_strictly_typed_script_uses_the_public_names(root, tmp_path):
    settings = tmp_path / "mypy.ini"
    # Of the package itself and its dependencies only the types matter here.
    settings.write_text("[mypy]\nstrict = True\n[mypy-autoenc.*]\nfollow_imports = silent\n")
    options = [
        f"--config-file={settings}",
        f"--python-executable={sys.executable}",
        f"--cache-dir={tmp_path}",
    ]
    command = [sys.executable, "-m", "mypy", *options, "tests/typed/script.py"]
    run = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert run.stdout == "Success: no issues found in 1 source file\n", run.stdout + run.stderr
