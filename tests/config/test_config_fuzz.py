"""Damaged and hostile files: refused in words, or read as they stand, and never a traceback."""

from __future__ import annotations

import json
import random

import pytest

from autoenc.record.runs import FOLDER

YAML = b"""# an experiment
data_path: data/stains.csv
hidden_dims_search: [16, 32, 64]
dropout: [0, 0.1]
epochs: 30
initial_lr: 1e-3
group: null
save_models: true
cluster_overrides:
  jobs: 4
search_space:
  learning_rate_range: [1e-4, 1e-2]
  activation_options:
    - relu
    - gelu
"""  # fmt: skip
PIECES = [
    b"\0", b"\t", b"\xff\xfe", b"\x80", b"&a [*a]", b"*x", b"<<: *x", b"!!python/object:os.system x", b"? ",
    b"- ", b": ", b"{", b"}", b"[" * 300, b"]", b"'", b'"\\x1b"', b"9" * 5000, b"1e999", b".nan", b"-", b"~",
    b"|\n", b"---\n", b"%YAML 9.9\n", b"\r", b"\xe2\x80\xa8", b"\xc2\x85", b"epochs: 3\n", b"!!binary x",
    b"0x7fffffffffffffffff", b"$X",
]  # fmt: skip


def mutated(content: bytes, seed: int) -> bytes:
    rng = random.Random(seed)
    for _ in range(rng.randint(1, 3)):
        i, j = sorted(rng.randint(0, len(content)) for _ in range(2))
        content = rng.choice(
            [
                lambda c, i=i: c[:i] + rng.choice(PIECES) + c[i:],
                lambda c, i=i: c[:i] + bytes([rng.randrange(256)]) + c[i + 1 :],
                lambda c, i=i: c[:i] + c[i + 20 :],
                lambda c, i=i, j=j: c[:j] + c[i:j] + c[j:],
                lambda c, i=i: c[:i],
            ]
        )(content)
    return content


@pytest.mark.parametrize("command", ["search", "tune"])
def test_mutated_configurations_are_refused_in_words_or_read(call, tmp_path, command):
    path = tmp_path / "c.yaml"
    for seed in range(120):
        path.write_bytes(mutated(YAML, seed))
        answer = call("config", "show", command, "--config", path)
        assert answer.code in (0, 2), seed
        if answer.code == 2:
            assert all(line.startswith("error: ") and len(line) < 900 for line in answer.err.splitlines()), (
                seed
            )
        elif b"epochs: 30\n" in path.read_bytes():
            assert " 30 " in answer.out


HOSTILE = {
    "alias expansion": b"a0: &a0 [x, x]\n" + b"".join(
        b"a%d: &a%d [%s]\n" % (i, i, b", ".join([b"*a%d" % (i - 1)] * 9)) for i in range(1, 30)
    ),
    "an alias of itself": b"columns: &a [*a]\n",
    "deep nesting": b"columns: " + b"[" * 100_000,
    "deep mappings": b"".join(b" " * i + b"a:\n" for i in range(3000)),
    "a number of many digits": b"epochs: " + b"9" * 1_000_000 + b"\n",
    "a long word": b"scaling: " + b"x" * 1_000_000 + b"\n",
    "twice": b"epochs: 3\nepochs: 4\n",
    "NUL": b"epochs: 3\0\n",
    "tabs": b"search_space:\n\tdropout_range: 1\n",
    "not UTF-8": b"group: \xe4\n",
    "code": b"group: !!python/object/apply:os.system [id]\n",
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_configurations_are_refused_at_once_and_in_few_words(call, tmp_path, kind):
    path = tmp_path / "c.yaml"
    path.write_bytes(HOSTILE[kind])
    answer = call("config", "show", "search", "--config", path)
    assert answer.code == 2
    assert str(path) in answer.err
    assert len(answer.err) < 20_000


def test_mutated_runs_are_passed_over_or_read(call, table_csv, tmp_path):
    options = [
        "--data_path",
        table_csv,
        "--output_dir",
        tmp_path,
        "--hidden_dims_search",
        4,
        "--max_layers",
        1,
    ]
    assert call("search", *options, "--epochs", 1, "--jobs", 1).code == 0
    (path,) = (tmp_path / FOLDER).glob("*.json")
    content = path.read_bytes()
    replaced = [
        {**json.loads(content), key: value}
        for key in json.loads(content)
        for value in (None, [], {}, "x", 1e400, {"a": {"b": []}})
    ]
    broken = [json.dumps(document).encode() for document in replaced]
    for seed, damaged in enumerate([mutated(content, seed) for seed in range(80)] + broken):
        path.write_bytes(damaged)
        for arguments in (["runs", tmp_path], ["runs", "diff", path, path]):
            answer = call(*arguments)
            assert answer.code in (0, 2), (seed, answer)
