"""A recurrent network that predicts the next note of a melody, with hyperparameters found by search.

The melodies are made here: motifs on scales, repeated, moved and varied. A note depends on the key and on the
motif, so on more than the note before it: a first-order Markov chain is the baseline to beat.

    python examples/melody_rnn.py --mode search
    python examples/melody_rnn.py --mode train_best

The search is recorded in ``study.journal`` of the output folder and goes on there when it is run again.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from optuna.trial import FrozenTrial
from torch import nn

from autoenc import HyperparameterOptimizer, InputError
from autoenc.system.paths import write_atomically

Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]
N_PITCHES = 88  # the keys of a piano, A0 to C8
MIDDLE_C = 39
SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10), "pentatonic": (0, 2, 4, 7, 9)}
NAMES = ("A", "A#", "B", "C", "C#", "D", "D#", "E", "F", "F#", "G", "G#")

SPACE = {
    "cell": ["gru", "lstm"], "embedding_size": (8, 32), "hidden_size": (16, 96), "num_layers": (1, 2),
    "dropout": (0.0, 0.4), "learning_rate": (2e-3, 3e-2), "weight_decay": (1e-6, 1e-2),
    "batch_size": [32, 64],
}  # fmt: skip


class MelodyRNN(nn.Module):
    """Embedding, recurrent layers, and a score for every pitch that may come next.

    Shape:
        input: pitches ``[melodies, notes]``, whole numbers below 88.
        output: scores ``[melodies, notes, 88]`` of the note that follows each of them.
    """

    def __init__(
        self, cell: str, embedding_size: int, hidden_size: int, num_layers: int, dropout: float
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(N_PITCHES, embedding_size)
        kind = {"gru": nn.GRU, "lstm": nn.LSTM}[cell]
        between = dropout if num_layers > 1 else 0.0  # torch warns about dropout behind a single layer
        self.recurrent = kind(embedding_size, hidden_size, num_layers, batch_first=True, dropout=between)
        self.dropout = nn.Dropout(dropout)
        self.scores = nn.Linear(hidden_size, N_PITCHES)

    def forward(self, pitches: torch.Tensor) -> torch.Tensor:
        """Scores of what follows each note."""
        hidden, _ = self.recurrent(self.embedding(pitches))
        scores: torch.Tensor = self.scores(self.dropout(hidden))
        return scores


def next_note_loss(scores: torch.Tensor, following: torch.Tensor) -> torch.Tensor:
    """Cross-entropy a note, in nats."""
    return nn.functional.cross_entropy(scores.flatten(0, 1), following.flatten())


def make_melody(rng: np.random.Generator, n_notes: int) -> list[int]:
    """A melody: a motif of steps on a scale, repeated from where it led, and now and then varied."""
    scale = SCALES[str(rng.choice(list(SCALES)))]
    tonic = MIDDLE_C + int(rng.integers(-6, 6))
    motif = rng.integers(-2, 3, size=rng.integers(3, 6))
    degree, notes = 0, []
    while len(notes) < n_notes:
        for step in motif:
            octave, place = divmod(degree, len(scale))
            notes.append(int(np.clip(tonic + 12 * octave + scale[place], 0, N_PITCHES - 1)))
            degree += int(step)
        degree = 0 if abs(degree) > len(scale) else degree  # back home
        if rng.random() < 0.1:
            motif[rng.integers(len(motif))] = rng.integers(-2, 3)
    return notes[:n_notes]


def make_melodies(n_melodies: int, n_notes: int, seed: int) -> NDArray[np.int64]:
    """Melodies ``[n_melodies, n_notes]``."""
    rng = np.random.default_rng(seed)
    return np.array([make_melody(rng, n_notes) for _ in range(n_melodies)], dtype=np.int64)


def markov_loss(train: NDArray[np.int64], val: NDArray[np.int64]) -> float:
    """Cross-entropy a note of the chain in which a note depends on the one before it alone.

    Its counts begin at a weight that is chosen on the validation melodies, in the baseline's favour.
    """
    counts = np.zeros((N_PITCHES, N_PITCHES))
    np.add.at(counts, (train[:, :-1].ravel(), train[:, 1:].ravel()), 1)
    losses = []
    for weight in (0.003, 0.01, 0.03, 0.1, 0.3, 1.0):
        shares = (counts + weight) / (counts + weight).sum(axis=1, keepdims=True)
        losses.append(-np.log(shares[val[:, :-1], val[:, 1:]]).mean())
    return float(min(losses))


@torch.no_grad()
def compose(model: nn.Module, start: list[int], n_notes: int, seed: int) -> list[int]:
    """Go on from ``start`` by drawing each next note as the model expects it."""
    generator, notes = torch.Generator().manual_seed(seed), list(start)
    model.eval()
    for _ in range(n_notes):
        shares = model(torch.tensor([notes]))[0, -1].softmax(dim=0)
        notes.append(int(torch.multinomial(shares, 1, generator=generator)))
    return notes


def name_of(pitch: int) -> str:
    """A pitch as people write it: 39 is C4."""
    return f"{NAMES[pitch % 12]}{(pitch + 9) // 12}"


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line, and tell everything that is wrong with it."""
    parser = argparse.ArgumentParser(
        description="Search a recurrent network that predicts the next note of a melody."
    )
    parser.add_argument(
        "--mode", required=True, choices=("search", "train_best"),
        help="search: try configurations; train_best: train the best of them for longer",
    )  # fmt: skip
    parser.add_argument("--strategy", default="tpe", choices=("random", "tpe", "cmaes", "resilient"))
    numbers = {
        "n_trials": (6, 1, "trials in all, those of an earlier run counted"),
        "search_epochs": (6, 1, "epochs of a trial"),
        "best_epochs": (16, 1, "epochs of the best, in mode train_best"),
        "n_melodies": (800, 5, "melodies; one fifth of them is for validation"),
        "n_notes": (48, 2, "notes of a melody"),
        "seed": (42, 0, "of melodies, search and training"),
    }
    for name, (default, _, text) in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=default, help=f"{text} (default {default})")
    parser.add_argument("--output_dir", type=Path, default=Path("output/melody"), help="where results go")
    options = parser.parse_args(arguments)
    problems = [
        f"--{name} must be at least {least}, got {getattr(options, name)}"
        for name, (_, least, _) in numbers.items()
        if getattr(options, name) < least
    ]
    if problems:
        parser.error("; ".join(problems))
    return options


def search(optimizer: HyperparameterOptimizer, train: Pairs, val: Pairs, n_trials: int) -> None:
    """Try configurations, a line for each, and tell the best."""

    def tell(trial: FrozenTrial) -> None:
        outcome = trial.user_attrs.get("failure") or f"{trial.value:.4f} nats a note"
        print(f"trial {trial.number:>3}  {outcome}", flush=True)

    result = optimizer.optimize(train, val, n_trials, on_trial=tell)
    print(f"best       {result.best_value:.4f} nats a note")
    for name, value in result.best_params.items():
        print(f"           {name} {value:.4g}" if isinstance(value, float) else f"           {name} {value}")


def train_best(
    optimizer: HyperparameterOptimizer, train: Pairs, val: Pairs, melodies: Pairs, options: argparse.Namespace
) -> None:
    """Train the best configuration for longer; write the model and a melody that it makes up."""
    trained = optimizer.train_best(train, val, num_epochs=options.best_epochs)
    baseline = markov_loss(*melodies)
    start = melodies[1][0, : min(8, options.n_notes)].tolist()
    notes = compose(trained.model, start, 24, options.seed)
    model, melody = options.output_dir / "melody_rnn.pth", options.output_dir / "melody.json"
    write_atomically(model, lambda file: torch.save(trained.model.state_dict(), file))
    document = {"pitches": notes, "names": [name_of(pitch) for pitch in notes], "given": len(start)}
    write_atomically(melody, lambda file: file.write(json.dumps(document, indent=1).encode()))
    print(f"validation loss        {trained.val_loss:.4f} nats a note after {options.best_epochs} epochs")
    print(f"first-order Markov     {baseline:.4f} nats a note")
    print(f"given                  {' '.join(document['names'][: len(start)])}")
    print(f"made up                {' '.join(document['names'][len(start) :])}")
    print(f"model                  {model}")
    print(f"melody                 {melody}")


def main(arguments: list[str] | None = None) -> int:
    """Run the example; returns the exit code."""
    options = parse(arguments)
    melodies = make_melodies(options.n_melodies, options.n_notes, options.seed)
    n_val = options.n_melodies // 5
    parts = melodies[:-n_val], melodies[-n_val:]
    train, val = ((part[:, :-1], part[:, 1:]) for part in parts)
    try:
        optimizer = HyperparameterOptimizer(
            MelodyRNN,
            {**SPACE, "num_epochs": [options.search_epochs]},
            loss=next_note_loss,
            strategy=options.strategy,
            seed=options.seed,
            storage=options.output_dir / "study.journal",
        )
        if options.mode == "search":
            search(optimizer, train, val, options.n_trials)
        else:
            train_best(optimizer, train, val, parts, options)
    except InputError as error:
        print("\n".join(f"error: {problem}" for problem in error.problems), file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {error.filename or options.output_dir}: {error.strerror or error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
