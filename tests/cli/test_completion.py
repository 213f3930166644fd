"""Shells complete commands and options."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from autoenc.cli.verbs import COMMANDS

CASES = {
    ("autoenc", "se"): {"search"},
    ("autoenc", "search", "--latent"): {"--latent_dim", "--latent-dim"},
    ("autoenc", "train-best", "--from", "x", "--ep"): {"--epochs"},
    ("autoenc", ""): {"config", "completion", *(verb for verb in COMMANDS if " " not in verb)},
    ("autoenc", "config", ""): {"show"},
    ("autoenc", "config", "show", "tr"): {"train-best", "transfer"},
    ("autoenc", "completion", ""): {"bash", "zsh", "tcsh"},
    ("autoenc", "search", "--recipe", ""): {"classic", "plain"},
    ("autoenc", "search", "--data_path", "LIC"): {"LICENSE"},
    ("autoenc", "fit", "--quiet", "READ"): {"README.md"},
    ("autoenc", "search", "--config", "conf"): {"configs"},
    ("autoenc", "report", "out"): {"output"},
    ("autoenc", "repair", "out"): {"output"},
}


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(("words", "expected"), CASES.items(), ids=map(" ".join, CASES))
def test_bash_completes(call, root: Path, tmp_path: Path, words: tuple[str, ...], expected: set[str]) -> None:
    answer = call("completion", "bash")
    assert answer.code == 0
    (tmp_path / "completion").write_text(answer.out)
    shown = " ".join(f"'{word}'" for word in words)
    code = f"source {tmp_path}/completion; COMP_WORDS=({shown}); COMP_CWORD={len(words) - 1}; _shtab_autoenc"
    run = subprocess.run(
        ["bash", "-c", f'{code}; printf "%s\\n" "${{COMPREPLY[@]}}"'],
        capture_output=True,
        text=True,
        cwd=root,
    )
    assert {*run.stdout.split()} == expected, run.stderr


@pytest.mark.parametrize("shell", ["zsh", "tcsh"])
def test_other_shells_have_a_script_too(call, shell: str) -> None:
    answer = call("completion", shell)
    assert answer.code == 0
    assert "train-best" in answer.out


def test_what_is_wrong_is_said(call, monkeypatch) -> None:
    for words, got in ((["fish"], "fish"), ([], "nothing"), (["bash", "zsh"], "bash zsh")):
        answer = call("completion", *words)
        assert answer.code == 2
        assert answer.err == f"error: completion takes the name of a shell, bash, zsh, tcsh; got {got}\n"
    monkeypatch.setitem(sys.modules, "shtab", None)
    answer = call("completion", "bash")
    assert (answer.code, answer.err) == (
        2, "error: completion needs shtab: pip install 'autoenc[completion]'\n"
    )  # fmt: skip
