"""Which rows each stage learns from and which judge it: a holdout, and folds outside of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoenc.data.table import TEST_SHARE
from autoenc.errors import InputError
from autoenc.two_stage.data import TransferData

__all__ = ["FoldDivision", "Fold", "divide"]

Rows = NDArray[np.int64]
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
    """

    folds: list[Fold]
    final: Fold


def divide(data: TransferData, n_folds: int, seed: int, fold_seed: int | None = None) -> FoldDivision:
    """Divide the rows by scikit-learn's splitters, by class where there is a class to predict.

    Rows without a label never judge: where both stages share their rows, they belong to what every stage 1
    learns from. A separate table of stage 1 keeps a fifth of its rows to measure its loss on, and labelled
    rows that stand in it, too, are left out.

    Args:
        data: The tables and targets.
        n_folds: How many folds.
        seed: Of the rows that are held out of every fold.
        fold_seed: Of the folds; by default the same.

    Raises:
        InputError: If a class or a target is too rare for so many folds.
    """
    from sklearn.model_selection import KFold, StratifiedKFold, train_test_split

    fold_seed = seed if fold_seed is None else fold_seed
    rows = data.any_label
    _check_sizes(data, n_folds)
    strata = _strata(data, n_folds)
    search, test = train_test_split(
        rows, test_size=TEST_SHARE, random_state=seed, stratify=None if strata is None else strata[rows]
    )
    search, test = np.sort(search), np.sort(test)
    if strata is None:
        split = KFold(n_folds, shuffle=True, random_state=fold_seed).split(search)
    else:
        splitter = StratifiedKFold(n_folds, shuffle=True, random_state=fold_seed)
        split = splitter.split(search, strata[search])
    parts = [(search[train], search[validation]) for train, validation in split]
    _check(data, [*parts, (search, test)])
    if data.shared:
        everything = np.arange(len(data.table.values))
        kept = np.setdiff1d(everything, test, assume_unique=True)
        folds = [
            Fold(f"{k}/{n_folds}", np.setdiff1d(kept, validation), validation, train, validation)
            for k, (train, validation) in enumerate(parts, 1)
        ]
        return FoldDivision(folds, Fold("all", kept, test, search, test))
    pretrain, held_out = train_test_split(data.pretrain, test_size=TEST_SHARE, random_state=seed)
    pretrain, held_out = np.sort(pretrain), np.sort(held_out)
    folds = [Fold("all", pretrain, held_out, train, validation) for train, validation in parts]
    return FoldDivision(folds, Fold("all", pretrain, held_out, search, test))


def _check_sizes(data: TransferData, n_folds: int) -> None:
    problems, n_labelled = [], data.any_label.size
    n_search = n_labelled - int(np.ceil(TEST_SHARE * n_labelled))
    if n_search < n_folds:
        problems.append(
            f"--n_cv_folds must be at most {n_search}, got {n_folds}: {data.labelled.path} has {n_labelled} "
            "labelled rows, and a fifth of them stays out of the search"
        )
    if data.pretrain.size < _FEWEST:
        told = f"{data.table.path}: must have at least {_FEWEST} rows for stage 1, has {data.pretrain.size}"
        if data.n_overlapping:
            told += (
                f" beside the {data.n_overlapping:,} that are labelled rows, too; if all rows stand in one "
                "table, leave out --labelled_path"
            )
        problems.append(told)
    if problems:
        raise InputError(problems)


def _strata(data: TransferData, n_folds: int) -> NDArray[np.int64] | None:
    """The class of every labelled row; None without classes."""
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
                problems.append(
                    f"--{kind}_target: {data.labelled.path}: {target.name!r} is known or varies in too few "
                    f"rows ({int(target.known.sum())}) for every fold to learn from it and to be judged by it"
                )
                break
    if problems:
        raise InputError(problems)
