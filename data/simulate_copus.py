"""Simulate class observations in the form of the COPUS table of Stains et al. (Science, 2018).

Every class is played out as a run of two-minute intervals. Its instructional profile sets the usual mix
of interval modes (lecturing, clicker question, worksheet in groups, ...), the class draws a mix of its own,
a sticky chain decides the mode of each interval, and a mode makes some of the 24 observed behaviours likely.
The table holds, for each class and behaviour, the fraction of intervals in which the behaviour was seen.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

SEED = 2018
N_CLASSES = 2008
MIN_INTERVALS, MAX_INTERVALS = 20, 45
FEATURE_MISSING, RTOP_MISSING = 0.005, 0.08
DECIMALS = 6

CONCENTRATION = 9.0  # Dirichlet precision: the lower, the more classes of one profile differ
STAY = (5.0, 4.0)  # Beta parameters of a class's chance to stay in its mode for one more interval
OVERLAP = (2.0, 2.0)  # Beta parameters of a class's chance that a change of mode falls inside an interval
SEQUEL_CHANCE = 0.4  # chance that a mode left is followed by its natural sequel, if the class uses that
LOGIT_SPREAD = 0.7  # standard deviation of a class's own shift of each behaviour's log-odds

STUDENT = ("L", "Ind", "CG", "WG", "OG", "S_Anq", "SQ", "WC", "PRD", "SP", "TQ", "S_W", "S_O")
INSTRUCTOR = ("Lec", "RTW", "FUP", "T_PQ", "CQ", "T_ANQ", "MG", "ONE_O_ONE", "DV", "ADMIN", "T_W")
FEATURES = STUDENT + INSTRUCTOR
STUDENT_LED = ("CG", "WG", "OG", "WC", "SP")  # behaviours that an RTOP observer rewards most

# What an observer marks during an interval of each mode: behaviour -> probability.
MODES: dict[str, dict[str, float]] = {
    "lecture": {"L": 0.99, "Lec": 0.98, "T_PQ": 0.10, "S_Anq": 0.07, "SQ": 0.05, "T_ANQ": 0.05, "S_O": 0.03},
    "writing": {"L": 0.99, "Lec": 0.95, "RTW": 0.93, "T_PQ": 0.15, "S_Anq": 0.12, "SQ": 0.06, "T_ANQ": 0.06},
    "questions": {"L": 0.93, "Lec": 0.72, "T_PQ": 0.88, "S_Anq": 0.80, "RTW": 0.20, "FUP": 0.25, "PRD": 0.04},
    "answers": {"L": 0.93, "Lec": 0.60, "SQ": 0.90, "T_ANQ": 0.88, "RTW": 0.15},
    "clicker_solo": {"CQ": 0.96, "Ind": 0.85, "L": 0.55, "Lec": 0.45, "PRD": 0.06, "T_W": 0.15, "MG": 0.08},
    "clicker_group": {
        "CQ": 0.96,
        "CG": 0.94,
        "L": 0.20,
        "MG": 0.45,
        "ONE_O_ONE": 0.08,
        "PRD": 0.06,
        "T_W": 0.15,
    },
    "clicker_review": {
        "FUP": 0.95,
        "L": 0.96,
        "Lec": 0.60,
        "CQ": 0.50,
        "S_Anq": 0.35,
        "T_PQ": 0.30,
        "RTW": 0.10,
    },
    "follow_up": {"FUP": 0.95, "L": 0.96, "Lec": 0.55, "S_Anq": 0.40, "T_PQ": 0.40, "RTW": 0.15},
    "solo_work": {"Ind": 0.95, "MG": 0.35, "ONE_O_ONE": 0.20, "T_W": 0.15, "SQ": 0.06, "L": 0.10},
    "worksheet": {
        "WG": 0.96,
        "MG": 0.82,
        "ONE_O_ONE": 0.42,
        "SQ": 0.15,
        "T_ANQ": 0.13,
        "Ind": 0.05,
        "L": 0.08,
    },
    "other_group": {
        "OG": 0.96,
        "MG": 0.72,
        "ONE_O_ONE": 0.40,
        "SQ": 0.10,
        "T_ANQ": 0.08,
        "L": 0.10,
        "PRD": 0.04,
    },
    "discussion": {"WC": 0.92, "L": 0.60, "T_PQ": 0.55, "S_Anq": 0.50, "FUP": 0.35, "SQ": 0.15},
    "presentation": {"SP": 0.96, "L": 0.85, "SQ": 0.15, "FUP": 0.20, "T_PQ": 0.15},
    "demo": {"DV": 0.95, "L": 0.93, "Lec": 0.60, "PRD": 0.15},
    "test": {"TQ": 0.97, "T_W": 0.35, "ADMIN": 0.20, "MG": 0.10},
    "admin": {"ADMIN": 0.96, "L": 0.85, "SQ": 0.08, "T_ANQ": 0.08, "S_O": 0.10},
    "waiting": {"S_W": 0.85, "T_W": 0.55, "S_O": 0.15, "ADMIN": 0.25},
}
MODE_NAMES = tuple(MODES)

# Usual mix of modes of each profile, in relative weights (a mode not named here or below does not occur).
PROFILE_MIX: dict[int, dict[str, float]] = {
    # Didactic: lecturing throughout, without (1) or with (2) clicker questions.
    1: {"lecture": 58, "writing": 32, "questions": 9, "answers": 3},
    2: {
        "lecture": 56,
        "writing": 24,
        "questions": 8,
        "answers": 3,
        "clicker_solo": 4,
        "clicker_group": 5,
        "clicker_review": 5,
        "follow_up": 2,
    },
    # Interactive lecture: broken up by group tasks of the instructor's own (3) or clicker discussions (4).
    3: {
        "lecture": 30,
        "writing": 18,
        "questions": 14,
        "answers": 4,
        "other_group": 18,
        "follow_up": 5,
        "discussion": 4,
        "presentation": 3,
    },
    4: {
        "lecture": 28,
        "writing": 12,
        "questions": 9,
        "answers": 4,
        "clicker_solo": 7,
        "clicker_group": 21,
        "clicker_review": 11,
        "follow_up": 4,
        "worksheet": 3,
    },
    # Student-centred: mixed group tasks (5), worksheets for most of the time (6), a bit of everything (7).
    5: {
        "lecture": 10,
        "writing": 4,
        "questions": 9,
        "answers": 3,
        "other_group": 42,
        "worksheet": 5,
        "follow_up": 6,
        "discussion": 10,
        "presentation": 9,
    },
    6: {
        "lecture": 8,
        "writing": 5,
        "questions": 6,
        "answers": 3,
        "worksheet": 62,
        "follow_up": 4,
        "presentation": 4,
    },
    7: {
        "lecture": 11,
        "writing": 4,
        "questions": 8,
        "answers": 3,
        "clicker_solo": 5,
        "clicker_group": 17,
        "clicker_review": 8,
        "follow_up": 4,
        "worksheet": 24,
        "other_group": 11,
        "discussion": 6,
    },
}
# Modes that may turn up in a class of any profile; MODE_HABIT keeps them to a minority of classes.
COMMON_MIX = {"solo_work": 4.0, "demo": 6.0, "test": 5.0, "admin": 4.5, "waiting": 3.5}

# Shares of the three groups of profiles, and of the profiles inside each group.
GROUP_SHARES = {"didactic": 0.55, "interactive lecture": 0.27, "student-centred": 0.18}
GROUP_PROFILES = {
    "didactic": {1: 0.60, 2: 0.40},
    "interactive lecture": {3: 0.55, 4: 0.45},
    "student-centred": {5: 0.40, 6: 0.35, 7: 0.25},
}

# Habits: the chance that a class has a mode, or shows a behaviour, at all (1 if not named).
MODE_HABIT = {
    "writing": 0.6,
    "solo_work": 0.25,
    "discussion": 0.5,
    "presentation": 0.6,
    "demo": 0.25,
    "test": 0.1,
    "admin": 0.85,
    "waiting": 0.2,
}
BEHAVIOUR_HABIT = {
    "Ind": 0.9,
    "SQ": 0.85,
    "PRD": 0.3,
    "S_W": 0.9,
    "S_O": 0.2,
    "RTW": 0.75,
    "FUP": 0.8,
    "T_PQ": 0.95,
    "T_ANQ": 0.95,
    "MG": 0.9,
    "ONE_O_ONE": 0.75,
    "T_W": 0.5,
}
SEQUELS = {
    "clicker_solo": "clicker_group",
    "clicker_group": "clicker_review",
    "worksheet": "follow_up",
    "demo": "questions",
}


class ClassHabits(NamedTuple):
    """What sets one class apart from others of its profile."""

    weights: np.ndarray  # share of each mode, in the order of MODE_NAMES
    probabilities: np.ndarray  # modes x behaviours
    stay: float
    overlap: float


def largest_remainder(total: int, shares: Sequence[float]) -> list[int]:
    """Splits a total into whole counts that add up to it and follow the shares as closely as possible."""
    exact = total * np.asarray(shares) / np.sum(shares)
    counts = np.floor(exact).astype(int)
    order = np.argsort(counts - exact, kind="stable")
    counts[order[: total - counts.sum()]] += 1
    return counts.tolist()


def draw_profiles(rng: np.random.Generator) -> np.ndarray:
    """Returns the profile of every class: exact group counts, in random order."""
    profiles: list[int] = []
    group_counts = largest_remainder(N_CLASSES, list(GROUP_SHARES.values()))
    for group, size in zip(GROUP_SHARES, group_counts, strict=True):
        members = GROUP_PROFILES[group]
        for profile, count in zip(members, largest_remainder(size, list(members.values())), strict=True):
            profiles += [profile] * count
    return rng.permutation(profiles)


def mode_table() -> np.ndarray:
    """Returns the probabilities of MODES as an array of modes x behaviours."""
    return np.array([[MODES[mode].get(name, 0.0) for name in FEATURES] for mode in MODE_NAMES])


def draw_weights(profile: int, rng: np.random.Generator) -> np.ndarray:
    """Draws a class's own mix of modes around that of its profile."""
    usual = PROFILE_MIX[profile] | COMMON_MIX
    mix = np.array([usual.get(mode, 0.0) for mode in MODE_NAMES])
    has_mode = rng.random(mix.size) < [MODE_HABIT.get(mode, 1.0) for mode in MODE_NAMES]
    mix = np.where(has_mode, mix, 0.0)
    used = mix > 0
    weights = np.zeros(mix.size)
    weights[used] = rng.dirichlet(CONCENTRATION * mix[used] / mix.sum())
    return weights


def draw_probabilities(table: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draws a class's own version of the mode table: shifted log-odds, and behaviours it never shows."""
    odds = table / (1.0 - table) * np.exp(rng.normal(0.0, LOGIT_SPREAD, len(FEATURES)))
    shows = rng.random(len(FEATURES)) < [BEHAVIOUR_HABIT.get(name, 1.0) for name in FEATURES]
    return odds / (1.0 + odds) * shows


def draw_habits(profile: int, table: np.ndarray, rng: np.random.Generator) -> ClassHabits:
    """Draws everything that stays fixed during one class."""
    return ClassHabits(
        weights=draw_weights(profile, rng),
        probabilities=draw_probabilities(table, rng),
        stay=rng.beta(*STAY),
        overlap=rng.beta(*OVERLAP),
    )


def draw_modes(habits: ClassHabits, n_intervals: int, rng: np.random.Generator) -> np.ndarray:
    """Draws the mode of each interval with a chain that tends to stay where it is."""
    modes = np.empty(n_intervals, dtype=int)
    modes[0] = rng.choice(len(MODE_NAMES), p=habits.weights)
    for t in range(1, n_intervals):
        sequel = SEQUELS.get(MODE_NAMES[modes[t - 1]])
        if rng.random() < habits.stay:
            modes[t] = modes[t - 1]
        elif sequel and habits.weights[MODE_NAMES.index(sequel)] > 0 and rng.random() < SEQUEL_CHANCE:
            modes[t] = MODE_NAMES.index(sequel)
        else:
            modes[t] = rng.choice(len(MODE_NAMES), p=habits.weights)
    return modes


def observe_class(profile: int, table: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Plays out one class and returns the fraction of its intervals that shows each behaviour."""
    n_intervals = int(rng.integers(MIN_INTERVALS, MAX_INTERVALS + 1))
    habits = draw_habits(profile, table, rng)
    modes = draw_modes(habits, n_intervals, rng)
    seen = rng.random((n_intervals, len(FEATURES))) < habits.probabilities[modes]
    # Modes change within an interval as well as between two; the observer then marks behaviours of both.
    carried = np.flatnonzero((modes[1:] != modes[:-1]) & (rng.random(n_intervals - 1) < habits.overlap))
    seen[carried + 1] |= rng.random((carried.size, len(FEATURES))) < habits.probabilities[modes[carried]]
    return seen.mean(axis=0)


def rtop_scores(features: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    """Scores each class like an RTOP observer: more for student-led work, with diminishing returns."""
    student_led = 1.0 - (1.0 - features[list(STUDENT_LED)]).prod(axis=1)
    talk = features[["S_Anq", "SQ"]].sum(axis=1).clip(upper=1.0)
    support = features[["MG", "ONE_O_ONE", "FUP"]].max(axis=1)
    score = 20.0 + 36.0 * student_led**0.7 + 10.0 * talk + 10.0 * support
    score += rng.normal(0.0, 6.5, len(features))
    return score.clip(0.0, 100.0).round(1).to_numpy(copy=True)


def simulate(seed: int = SEED) -> pd.DataFrame:
    """Simulates the whole table.

    Args:
        seed: Seed of the random generator; the same seed gives the same table.

    Returns:
        One row per class: the 24 behaviours, then `profile`, `student_centred` and `rtop`.
    """
    rng = np.random.default_rng(seed)
    profiles = draw_profiles(rng)
    table = mode_table()
    values = np.array([observe_class(profile, table, rng) for profile in profiles])
    frame = pd.DataFrame(values.round(DECIMALS), columns=list(FEATURES))
    # The score belongs to the class, not to its record, so it is made before any cell goes missing.
    rtop = rtop_scores(frame, rng)
    rtop[rng.random(N_CLASSES) < RTOP_MISSING] = np.nan
    frame = frame.mask(rng.random(frame.shape) < FEATURE_MISSING)
    student_centred = np.isin(profiles, list(GROUP_PROFILES["student-centred"])).astype(int)
    return frame.assign(profile=profiles, student_centred=student_centred, rtop=rtop)


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Writes the table in one step, so that a reader never meets half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        frame.to_csv(temporary, index=False, lineterminator="\n")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description="Simulate class observations in COPUS form.")
    default = Path(__file__).resolve().with_name("stains.csv")
    parser.add_argument("--output", type=Path, default=default, help="CSV to write (data/stains.csv)")
    parser.add_argument("--seed", type=int, default=SEED, help="random seed (%(default)s)")
    args = parser.parse_args(argv)
    frame = simulate(args.seed)
    write_csv(frame, args.output)
    print(f"{args.output}: {len(frame)} simulated classes")


if __name__ == "__main__":
    main()
