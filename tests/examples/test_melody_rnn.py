from __future__ import annotations

import importlib.util
import json

import numpy as np
import pytest
import torch

SMALL = [
    "--n_trials",
    "2",
    "--search_epochs",
    "1",
    "--best_epochs",
    "2",
    "--n_melodies",
    "20",
    "--n_notes",
    "9",
]


@pytest.fixture(scope="module")
def example(root):
    spec = importlib.util.spec_from_file_location("melody_rnn", root / "examples" / "melody_rnn.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_searches_and_trains_the_best(example, tmp_path, capsys) -> None:
    folder = ["--output_dir", str(tmp_path / "melody")]
    assert example.main(["--mode", "search", *SMALL, *folder]) == 0
    said = capsys.readouterr().out
    assert "trial   1" in said
    assert "embedding_size" in said
    assert example.main(["--mode", "search", *SMALL, *folder]) == 0  # nothing is left to do
    assert "trial" not in capsys.readouterr().out
    assert example.main(["--mode", "train_best", *SMALL, *folder]) == 0
    said = capsys.readouterr().out
    assert "nats a note after 2 epochs" in said
    assert "first-order Markov" in said
    melody = json.loads((tmp_path / "melody" / "melody.json").read_text())
    assert len(melody["pitches"]) == len(melody["names"]) == melody["given"] + 24
    state = torch.load(tmp_path / "melody" / "melody_rnn.pth", weights_only=True)
    assert state["scores.weight"].shape[0] == 88


def test_what_is_wrong_is_told(example, tmp_path, capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        example.main(["--mode", "search", "--n_trials", "0", "--n_notes", "1"])
    assert stop.value.code == 2
    assert (
        "--n_trials must be at least 1, got 0; --n_notes must be at least 2, got 1" in capsys.readouterr().err
    )
    assert example.main(["--mode", "train_best", *SMALL, "--output_dir", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("error: there is no search yet")
    (tmp_path / "file").touch()
    assert example.main(["--mode", "search", *SMALL, "--output_dir", str(tmp_path / "file")]) == 1
    assert capsys.readouterr().err.startswith("error: ")


def test_melodies_follow_from_their_seed_and_need_more_than_the_last_note(example) -> None:
    melodies = example.make_melodies(30, 24, 5)
    assert (melodies == example.make_melodies(30, 24, 5)).all()
    assert (melodies != example.make_melodies(30, 24, 6)).any()
    assert 0 <= melodies.min() <= melodies.max() < 88
    assert example.name_of(0) == "A0"
    assert example.name_of(39) == "C4"
    assert example.name_of(87) == "C8"


def test_the_baseline_is_the_markov_chain_it_says(example) -> None:
    train = np.tile([1, 2], (50, 10))
    assert example.markov_loss(train, train) < 0.01
    unseen = np.array([[70, 71]])
    assert example.markov_loss(train, unseen) == pytest.approx(np.log(88))
