"""Rows that each stage learns from and rows that judge it: a holdout, and folds outside of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoenc.data.divisible import rare_class
from autoenc.data.division import Rows, divide_folds, divide_holdout, dividing
from autoenc.data.table import TEST_SHARE
from autoenc.errors import InputError
from autoenc.two_stage.data import TransferData

__all__ = ["FoldDivision", "Fold", "divide"]

_FEWEST = 5  # rows, of which a fifth is kept to measure a loss on


@dataclass(frozen=True)
class Fold:
    """The rows of one judgement; nothing that is fitted sees a row of ``held_out`` or ``validation``.

    Attributes:
        pretraining: Name of what stage 1 learns from; folds of one name share its model.
        pretrain: Rows of the table of stage 1 that it learns from.
        held_out: Rows of that table that its loss is measured on.
        train: Labelled rows that the heads learn from.
        validation: Labelled rows that the heads are judged by.
    """

    pretraining: str
    pretrain: Rows
    held_out: Rows
    train: Rows
    validation: Rows


@dataclass(frozen=True)
class FoldDivision:
    """The folds of the search, and the last judgement by test rows that no fold holds.

    Attributes:
        folds: Folds of the labelled rows outside the holdout.
        final: Learns from all labelled rows outside the holdout and what stage 1 learns from, and is judged
            by the holdout.
        warnings: What is odd about these parts, a sentence each.
    """

    folds: list[Fold]
    final: Fold
    warnings: tuple[str, ...] = ()


def divide(data: TransferData, n_folds: int, seed: int, fold_seed: int | None = None) -> FoldDivision:
    """Divide the rows by scikit-learn's splitters, by class where there is a class to predict.

    Rows without a label never judge: where both stages share their rows, they belong to what every stage 1
    learns from, unless they are of a group that judges. A separate table of stage 1 keeps a fifth of its rows
    to measure its loss on; labelled rows that stand in it, too, and rows of their groups are left out.

    Args:
        data: The tables and targets.
        n_folds: How many folds.
        seed: Of the rows that are held out of every fold.
        fold_seed: Of the folds; by default the same.

    Raises:
        InputError: If a class or a target is too rare for so many folds, or groups are too few.
    """
    fold_seed = seed if fold_seed is None else fold_seed
    rows, groups = data.any_label, data.groups
    _check_sizes(data, n_folds)
    classes = _classes(data, n_folds)
    by, path = {"stratify": data.stratify, "group": data.group}, data.labelled.path
    with dividing(path, "the test rows", by):
        search, test = divide_holdout(rows, seed, _of(classes, rows), _of(groups, rows))
    with dividing(path, f"--n_cv_folds {n_folds}", by):
        parts = divide_folds(search, n_folds, fold_seed, _of(classes, search), _of(groups, search))
    _check(data, [*parts, (search, test)])
    warnings = _warnings(data, parts, test, _of(classes, search))
    if data.shared:
        everything = np.arange(len(data.table.values))
        kept = _without(everything, test, groups)
        folds = [
            Fold(f"{k}/{n_folds}", _without(kept, validation, groups), validation, train, validation)
            for k, (train, validation) in enumerate(parts, 1)
        ]
        return FoldDivision(folds, Fold("all", kept, test, search, test), warnings)
    with dividing(data.table.path, "the rows of stage 1", {"group": data.group}):
        of_table = _of(data.groups_of_table, data.pretrain)
        pretrain, held_out = divide_holdout(data.pretrain, seed, groups=of_table)
    folds = [Fold("all", pretrain, held_out, train, validation) for train, validation in parts]
    return FoldDivision(folds, Fold("all", pretrain, held_out, search, test), warnings)


def _of(labels: NDArray[Any] | None, rows: Rows) -> NDArray[Any] | None:
    return None if labels is None else labels[rows]


def _without(rows: Rows, judging: Rows, groups: NDArray[np.int64] | None) -> Rows:
    """Return the rows that do not judge and are of no group that does."""
    if groups is None:
        return np.setdiff1d(rows, judging, assume_unique=True)
    return rows[~np.isin(groups[rows], groups[judging])]


def _check_sizes(data: TransferData, n_folds: int) -> None:
    problems, n_labelled = [], data.any_label.size
    n_search = n_labelled - int(np.ceil(TEST_SHARE * n_labelled))
    if n_search < n_folds:
        problems.append(
            f"--n_cv_folds must be at most {n_search}, got {n_folds}: {data.labelled.path} has {n_labelled} "
            "labelled rows, and a fifth of them stays out of the search"
        )
    if data.pretrain.size < _FEWEST:
        text = f"{data.table.path}: must have at least {_FEWEST} rows for stage 1, has {data.pretrain.size}"
        if data.n_overlapping:
            of_groups = "" if data.group is None else f" or of their groups by {data.group}"
            text += (
                f" beside the {data.n_overlapping:,} that are labelled rows, too{of_groups}; if all rows "
                "stand in one table, leave out --labelled_path"
            )
        problems.append(text)
    if problems:
        raise InputError(problems)


def _classes(data: TransferData, n_folds: int) -> NDArray[Any] | None:
    """Return of every labelled row, what all parts keep the shares of; None where that is nothing."""
    strata = _strata(data, n_folds)
    if data.stratify is None:
        return strata
    labels = data.labelled.labels[data.stratify]
    if strata is None:
        return labels
    target = data.targets["classification"]
    names = [f", {target.name} {target.class_name(which)}" for which in (0, 1)]
    pairs = [label + names[which] for label, which in zip(labels, strata, strict=True)]
    return np.array(pairs, object)


def _warnings(
    data: TransferData, parts: list[tuple[Rows, Rows]], test: Rows, classes: NDArray[Any] | None
) -> tuple[str, ...]:
    """Return what the options that divide rows leave of the classes."""
    warnings = []
    if data.stratify is not None and (rare := rare_class(len(parts), classes)):
        warnings.append(f"--stratify {data.stratify}: {rare}")
    target = data.targets.get("classification")
    if data.group is not None and target is not None:
        judging = {**{f"fold {k}": rows for k, (_, rows) in enumerate(parts, 1)}, "the test rows": test}
        without = [name for name, rows in judging.items() if not (target.values[rows] == 1).any()]
        if without:
            lacking = f"{', '.join(without)} hold no row of class {target.class_name(1)}, and find none"
            warnings.append(f"--group {data.group}: {lacking}")
    return tuple(f"{data.labelled.path}: {text}" for text in warnings)


def _strata(data: TransferData, n_folds: int) -> NDArray[np.int64] | None:
    """Return the class of every labelled row; None without classes."""
    target = data.targets.get("classification")
    if target is None:
        return None
    values = target.values[data.any_label]
    # The holdout takes its share of a class before the folds take theirs.
    needed = int(np.ceil(n_folds / (1 - TEST_SHARE)))
    for which in (0, 1):
        count = int((values == which).sum())
        if count < needed:
            raise InputError(
                f"{data.labelled.path}: class {target.class_name(which)} of {target.name!r} is too rare: "
                f"{count} rows, but {n_folds} folds and the test rows need {needed}"
            )
    usual = float(np.nanmean(target.values) >= 0.5)
    # A row without a class may lie anywhere: it counts as of the usual one.
    return np.where(target.known, target.values, usual).astype(np.int64)


def _check(data: TransferData, parts: list[tuple[Rows, Rows]]) -> None:
    problems = []
    for kind, target in data.targets.items():
        for train, validation in parts:
            learned = target.values[train][target.known[train]]
            if not target.known[validation].any() or np.unique(learned).size < 2:
                of_groups = "" if data.group is None else f" or groups by {data.group}"
                problems.append(
                    f"--{kind}_target: {data.labelled.path}: {target.name!r} is known or varies in too few "
                    f"rows ({int(target.known.sum())}){of_groups} for every fold to learn from it and to be "
                    "judged by it"
                )
                break
    if problems:
        raise InputError(problems)
