"""YAML files: what they say, in which order, and what is refused with file and line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from autoenc.config import load_layers
from autoenc.config.files import read_config


def told(text: str | bytes) -> list[str]:
    content = text if isinstance(text, bytes) else text.encode()
    return read_config(Path("x.yaml"), content)[1]


def values(text: str) -> dict[str, object]:
    file, problems = read_config(Path("x.yaml"), text.encode())
    assert problems == []
    return {entry.key: entry.value for entry in file.entries}


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)


def paths_of(folder: Path, name: str, environment: dict[str, str] | None = None) -> list[str]:
    layers, problems = load_layers(str(folder / f"{name}.yaml"), None, environment or {})
    assert problems == []
    return [Path(layer.entries[0].path).stem + ("*" if layer.of_cluster else "") for layer in layers]


def test_values_are_the_text_that_stands_there():
    lines = [
        "initial_lr: 1e-3",
        "columns: [no, on, 1.10, 2024-01-01]",
        "quiet: yes",
        "group: null",
        "score:",
    ]
    assert values("\n".join([*lines, "seed: '7'"])) == {
        "initial_lr": "1e-3",
        "columns": ["no", "on", "1.10", "2024-01-01"],
        "quiet": "yes",
        "group": None,
        "score": None,
        "seed": "7",
    }


def test_entries_know_their_lines():
    file, _ = read_config(Path("x.yaml"), b"# first\nepochs: 3\nlatent_dim:\n  - 2\n\n  - 4\n")
    assert [entry.place() for entry in file.entries] == ["x.yaml:2", "x.yaml:3"]
    assert [file.entries[1].place(item) for item in (0, 1, 7)] == ["x.yaml:4", "x.yaml:6", "x.yaml:3"]


def test_a_search_file_speaks_of_its_space_method_and_budget():
    text = "search_method: bayesian\nbudget_hours: 2\nsearch_space:\n  num_layers_range: [1, 4]\n"
    assert values(text) == {"search_method": "bayesian", "budget_hours": "2", "num_layers_range": ["1", "4"]}


@pytest.mark.parametrize("text", ["", "# nothing\n", "cluster_overrides:\n", "search_space: ~\n"])
def test_nothing_is_no_problem(text):
    assert values(text) == {}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("epochs: 3\nepoch: 4\n", "x.yaml:2: epoch is no option of any command; did you mean epochs?"),
        ("epochs: 3\nseed: 1\nepochs: 4\n", "x.yaml:3: epochs stands already in line 1"),
        ("folder: here\n", "x.yaml:1: folder is no option of any command"),
        ("config: y.yaml\n", "x.yaml:1: config is no option of any command"),
        ("search_space: {layers: 3}\n", "x.yaml:1: layers is no part of search_space"),
        ("search_space: 3\n", "x.yaml:1: search_space must hold options as `name: value`"),
        ("search_space: {norm_options: none}\nnorm_options: none\n", "x.yaml:2: norm_options stands already"),
        ("cluster_overrides:\n  quiets: yes\n", "x.yaml:2: quiets is no option .* did you mean quiet"),
        ("cluster_overrides:\n  extends: a\n", "x.yaml:2: extends is no option"),
        ("search_method: best\n", "x.yaml:1: search_method must be one of grid, random, bayesian, .*'best'"),
        ("epochs: {a: 1}\n", "x.yaml:1: epochs must be a value or a list of values"),
        ("columns: [[a], b]\n", "x.yaml:1: columns must be a value or a list of values"),
        ("columns: []\n", "x.yaml:1: columns must be a value or a list of values"),
        ("columns: &a [*a]\n", "x.yaml:1: columns must be a value or a list of values"),
        ("epochs: 3\n\tseed: 1\n", r"x.yaml:2: is not YAML: .* indent with spaces, not tabs"),
        ("epochs: 'open\n", "x.yaml:2: is not YAML: found unexpected end of stream"),
        ("epochs: 1\n---\nepochs: 2\n", "x.yaml:2: is not YAML: but found another document"),
        ("- epochs\n", "x.yaml:1: must hold options as `name: value`, got no mapping"),
        ("[a]: 1\n", "x.yaml:1: a key must be a word"),
        ("<<: {epochs: 3}\n", "x.yaml:1: << is no option of any command"),
        ("seed: !!python/name:os.system\n", "x.yaml:1: the tag !!python/name:os.system is not allowed"),
        ("seed: 1\nepochs: !!python/object/apply:os.system ['true']\n", "x.yaml:2: the tag !!python/object"),
        ("!!python/dict {seed: 1}\n", "x.yaml:1: the tag !!python/dict is not allowed"),
        ("columns: [a, !secret b]\n", "x.yaml:1: the tag !secret is not allowed"),
        (b"\x89PNG\r\n", "x.yaml:1: is not YAML text: "),
        ("columns: " + "[" * 3000, "x.yaml: is nested too deeply"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line_with_file_and_line(text, problem):
    (line,) = told(text)
    assert "\n" not in line
    assert re.match(problem.replace("?", r"\?"), line), line


def test_all_problems_of_all_files_are_told(tmp_path):
    write(tmp_path, base="epoch: 1\n", x="extends: [base.yaml, none.yaml]\nseeed: 1\n", s="n_trial: 3\n")
    _, problems = load_layers(str(tmp_path / "x.yaml"), str(tmp_path / "s.yaml"), {})
    assert [problem.removeprefix(f"{tmp_path}/").split(" ")[0] for problem in problems] == [
        "x.yaml:2:", "base.yaml:1:", "x.yaml:1:", "s.yaml:1:",
    ]  # fmt: skip
    assert problems[2].endswith("x.yaml:1: extends none.yaml: cannot be read: No such file or directory")


def test_what_is_extended_comes_first_and_once(tmp_path):
    write(
        tmp_path, base="epochs: 1", left="extends: base.yaml\nseed: 1", right="extends: base.yaml\nseed: 2",
        x="extends: [left.yaml, right.yaml]\nseed: 3",
    )  # fmt: skip
    assert paths_of(tmp_path, "x") == ["base", "left", "right", "x"]


def test_extends_is_relative_to_its_file(tmp_path):
    (tmp_path / "deep").mkdir()
    write(tmp_path, base="epochs: 1")
    write(tmp_path / "deep", x="extends: ../base.yaml\nseed: 1")
    assert paths_of(tmp_path / "deep", "x") == ["base", "x"]


def test_cluster_overrides_count_in_a_job_of_slurm_only(tmp_path):
    write(
        tmp_path, base="epochs: 1\ncluster_overrides: {epochs: 2}",
        x="extends: base.yaml\nseed: 1\ncluster_overrides: {seed: 2}",
    )  # fmt: skip
    assert paths_of(tmp_path, "x") == ["base", "x"]
    assert paths_of(tmp_path, "x", {"SLURM_JOB_ID": "12"}) == ["base", "x", "base*", "x*"]


def test_a_circle_is_shown(tmp_path):
    write(tmp_path, a="extends: b.yaml", b="extends: c.yaml", c="extends: a.yaml")
    _, (problem,) = load_layers(str(tmp_path / "a.yaml"), None, {})
    chain = " extends ".join(str(tmp_path / f"{name}.yaml") for name in "abca")
    assert problem == f"{tmp_path}/c.yaml:1: extends a.yaml: goes round in a circle: {chain}"


def test_a_file_that_cannot_be_read(tmp_path):
    _, problems = load_layers(str(tmp_path / "none.yaml"), str(tmp_path), {})
    assert problems == [
        f"--config {tmp_path}/none.yaml: cannot be read: No such file or directory",
        f"--search_config {tmp_path}: is a folder; the name of a file was expected",
    ]


@pytest.mark.parametrize("content", ["é: 1\nepochs: \x07\n".encode(), "a: 1\nb: é\n".encode("latin-1")])
def test_what_is_no_text_is_told_with_its_line(tmp_path, content):
    _, problems = read_config(tmp_path / "c.yaml", content)
    assert len(problems) == 1
    assert problems[0].startswith(f"{tmp_path / 'c.yaml'}:2: is not YAML text")
