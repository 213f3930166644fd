"""Every command and code block of README and documentation runs, on a small table and briefly."""

from __future__ import annotations

import re
import shlex
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from autoenc.cli import main_by_mode
from autoenc.cli.flags import flags_of, joined
from autoenc.cli.parser import make_parser
from autoenc.cli.verbs import COMMANDS
from autoenc.settings import require_settings

ROOT = Path(__file__).parent.parent.parent
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SHORT = {
    "search": ["--epochs", "3", "--hidden_dims_search", "4,8", "--max_layers", "2"],
    "tune": ["--n_trials", "3", "--epochs", "2", "--hidden_size_range", "8,16", "--num_layers_range", "1,2"],
    "transfer": [
        "--n_trials",
        "2",
        "--folds",
        "2",
        "--epochs",
        "1",
        "--stage2_epochs",
        "2",
        "--finalists",
        "1",
    ],
    "train-best": ["--epochs", "3"],
    "fit": ["--budget", "1"],
    "slurm": ["--dry_run"],
}
"""What is added to commands that take long or start jobs, by verb."""
ONLY_PARSED = ("...", "tcp://", "postgresql", "runs diff", "phases", "output/copus", "fine.yaml")
"""Commands with these words need a server, or what a long search left: they are only parsed."""
REQUIRED = {"array": "4", "time": "1:00:00"}
"""What is given for required options that a page leaves out by three dots."""
OTHER_PROGRAMS = {"dask", "optuna-dashboard"}


def blocks(path: Path, language: str) -> list[str]:
    return [body for kind, body in FENCE.findall(path.read_text(encoding="utf-8")) if kind == language]


def pages_with(language: str) -> list[Any]:
    """Pages with blocks of a language; all but the README count as slow."""
    return [
        pytest.param(path, id=path.stem, marks=() if path == README else pytest.mark.slow)
        for path in PAGES
        if blocks(path, language)
    ]


def commands(path: Path) -> list[list[str]]:
    """The words of each command of a page, without comments and redirections."""
    lines = [line for body in blocks(path, "") for line in body.replace("\\\n", " ").splitlines()]
    found: list[list[str]] = []
    for line in lines:
        found.append([])
        splitter = shlex.shlex(line, posix=True, punctuation_chars=";&>")
        splitter.whitespace_split = True
        for word in splitter:
            if word in {";", "&&", ">"}:
                found.append([])
            else:
                found[-1].append(word)
            if word == ">":
                break
    return [words for words in found if words]


def test_every_block_is_of_a_known_kind() -> None:
    for path in PAGES:
        kinds = {kind for kind, _ in FENCE.findall(path.read_text(encoding="utf-8"))}
        assert kinds <= {"", "python"}, path


def test_links_lead_somewhere() -> None:
    made = {"commands.md", "api.md"}  # by docs/hooks.py
    for path in [*PAGES, ROOT / "CONTRIBUTING.md"]:
        for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
            name = target.partition("#")[0]
            if name and "://" not in target and name not in made:
                assert (path.parent / name).exists(), f"{path.name}: {target}"


@pytest.fixture(scope="module")
def searched(call: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a user has it: tables, and what searches left in output."""
    place = tmp_path_factory.mktemp("searched")
    shutil.copytree(ROOT / "configs", place / "configs")
    (place / "data").mkdir()
    frame = pd.read_csv(ROOT / "data" / "stains.csv").head(160)
    frame.to_csv(place / "data" / "stains.csv", index=False)
    named = frame.assign(id=range(len(frame)), site=["a", "b"] * 80, score=frame["rtop"])
    for name in ("table.csv", "all.csv", "new.csv", "moved.csv"):
        named.to_csv(place / name, index=False)
    named.head(80).to_csv(place / "few.csv", index=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        for words in (["search", "--save_models"], ["search", "--latent_dim", "2"]):
            assert call(*words).code == 0
        for words in (["tune", *SHORT["tune"]], ["transfer", *SHORT["transfer"]]):
            answer = call(*words)
            assert answer.code == 0, answer.err
        answer = call("train-best", "--from", "results/transfer/stains", *SHORT["train-best"])
        assert answer.code == 0, answer.err
    return place


@pytest.fixture
def workplace(searched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "work"
    shutil.copytree(searched, place)
    monkeypatch.chdir(place)
    return place


# MLflow and TensorBoard use what their own libraries have deprecated.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("path", pages_with(""))
def test_commands_run(call: Callable[..., Any], workplace: Path, path: Path) -> None:
    for words in commands(path):
        program = Path(words[0]).name
        if program == "make":
            assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE), words
        elif program == "pip":
            check_extras(words)
        elif program == "python" and words[1] == "hyperparam_optimizer.py":
            assert main_by_mode([*words[2:], *SHORT["search"]], "hyperparam_optimizer.py") == 0, words
        elif program == "python":
            assert words[1:3] == ["-m", "venv"] or (ROOT / words[1]).is_file(), words
        elif program == "autoenc":
            check_command(call, words[1:])
        else:
            assert program in OTHER_PROGRAMS, words


def check_extras(words: list[str]) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert words[1] == "install"
    for named in re.findall(r"\[([^\]]+)\]", " ".join(words)):
        assert {*named.split(",")} <= extras.keys(), words


def check_command(call: Callable[..., Any], words: list[str]) -> None:
    verb = words[0]
    if any(text in " ".join(words) for text in ONLY_PARSED):
        check_words([word for word in words if word != "..."])
        return
    answer = call(*words, *SHORT.get(verb, ()))
    assert answer.code == 0, f"{words}: {answer.err}"
    if "--shard" in words:  # the other machines do the same
        index, n = words[words.index("--shard") + 1].split("/")
        for i in range(1, int(n)):
            text = [word.replace(f"{index}/{n}", f"{i}/{n}").replace("part0", f"part{i}") for word in words]
            assert call(*text).code == 0


def check_words(words: list[str]) -> None:
    words = [" ".join(words[:2]), *words[2:]] if " ".join(words[:2]) in COMMANDS else words
    if words[:2] == ["config", "show"]:
        words = words[2:]
    words = joined(words, flags_of(COMMANDS[words[0]].settings))
    given = dict(vars(make_parser("autoenc").parse_args(words)))
    settings = COMMANDS[given.pop("command")].settings
    needed = [name for name, field in settings.model_fields.items() if field.is_required()]
    required = {name: given.get(name, REQUIRED.get(name, "x")) for name in needed}
    own = {name: value for name, value in given.items() if name in settings.model_fields}
    require_settings(settings, {**required, **own})


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("path", pages_with("python"))
def test_python_runs(workplace: Path, path: Path) -> None:
    shutil.copy(ROOT / "data" / "stains.csv", workplace / "data" / "stains.csv")
    names: dict[str, Any] = {"__name__": "page"}
    for body in blocks(path, "python"):
        exec(compile(body, str(path), "exec"), names)
