"""The durable record of a search: an Optuna study with a trial per finished fit.

A study holds the fits of one :class:`~autoenc.identity.Context`; a journal or database holds any number
of studies. Each finished fit is one append of a whole trial, on disk before the next is taken. Optuna's
own tools read it: ``optuna.load_study``, the dashboard.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, IntDistribution
from optuna.storages import BaseStorage, JournalStorage, get_storage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState, create_trial

from autoenc.engines.contract import Fit, Outcome, Recipe
from autoenc.errors import InputError
from autoenc.identity import Context
from autoenc.lock import JournalLock
from autoenc.machine import naming
from autoenc.secrets import is_masked, masked_error, masked_url
from autoenc.special import refuse_link, special_kind

__all__ = ["TUNE", "Record", "journal_path", "keep_study_aside", "open_storage", "records_in"]

_DEPTH = IntDistribution(1, 1024)
_WIDTH = IntDistribution(1, 65536, log=True)
_CONTEXT, _SEARCH, _USED = "autoenc_context", "autoenc_search", "autoenc_last_used"
TUNE = "autoenc_tune"
"""The attribute by which the study of an adaptive search is known."""


_FIRST = b'{"op_code":'  # how every line of a journal begins


def journal_path(folder: Path, shard: tuple[int, int] | None = None) -> Path:
    """Where a search in this folder keeps its journal; every shard has its own."""
    return folder / ("study.journal" if shard is None else f"study.shard-{shard[0]}-of-{shard[1]}.journal")


def open_storage(place: Path | str, read_only: bool = False) -> BaseStorage:
    """Open a journal file or an Optuna storage URL.

    Args:
        place: A journal's path, or a URL such as ``sqlite:///study.db``.
        read_only: Leave a journal as it is; otherwise what a killed process left at its end is
            removed, which only the holder of its lock may do.

    Raises:
        InputError: If it cannot be opened or is not a record.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if isinstance(place, Path):
        kind = special_kind(place)
        if kind is not None:
            raise InputError(f"{place}: is {kind}, not a record")
        if not read_only:
            refuse_link(place)
            _mend(place)
        return _journal(place)
    if is_masked(place):
        raise InputError(
            f"--storage {place}: the password is masked; give it again, or leave it out where the "
            "environment (PGPASSWORD) or a file of the database's own (~/.pgpass) has it"
        )
    if _in_memory(place):
        raise InputError(
            f"--storage {place}: is lost when the program ends; name a file, as sqlite:///study.db does"
        )
    try:
        return _database(place)
    except Exception as error:  # whatever the database's driver raises
        reason, shown = masked_error(error, place), masked_url(place)
        raise InputError(
            f"--storage {shown}: cannot be opened: {reason}; expected a URL such as sqlite:///study.db"
        ) from None


def _in_memory(url: str) -> bool:
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        found = make_url(url)
    except (ArgumentError, ValueError):  # which is told when it is opened
        return False
    return found.get_backend_name() == "sqlite" and found.database in (None, "", ":memory:")


def _database(url: str) -> BaseStorage:
    """Open a database; whoever comes first makes its tables, and those who come at the same time wait."""
    for pause_s in (0.2, 0.5, 1.0, 2.0):
        try:
            return get_storage(url)
        except Exception as error:
            if not any(words in str(error) for words in ("already exists", "duplicate key")):
                raise
            time.sleep(pause_s)
    return get_storage(url)


def _journal(path: Path) -> BaseStorage:
    try:
        return JournalStorage(_Journal(str(path), lock_obj=JournalLock(path)))
    except (ValueError, KeyError, AssertionError, json.JSONDecodeError) as error:
        raise InputError(
            f"{path}: is not a record that can be read ({error}); --fresh keeps it aside and starts over"
        ) from None


class _Journal(JournalFileBackend):
    """A journal file whose errors name it."""

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """See Optuna's backend."""
        with naming(self._file_path):
            super().append_logs(logs)


def _mend(path: Path) -> None:
    """Remove what a killed process can leave: Optuna's lock, and a last line that is not whole."""
    Path(f"{path}.lock").unlink(missing_ok=True)
    if not path.exists():
        return
    with path.open("rb+") as file:
        content = file.read()
        end = content.rfind(b"\n") + 1
        last = content.rfind(b"\n", 0, max(end - 1, 0)) + 1
        try:
            json.loads(content[last:end] or b"null")
        except ValueError:
            end = last
        if end == 0 and not content.startswith(_FIRST[: len(content)]):
            raise InputError(
                f"{path}: is not a record: it holds no whole line of one; --fresh keeps it aside and "
                "starts over"
            )
        if end != len(content):
            file.truncate(end)


def keep_study_aside(storage: BaseStorage, name: str) -> str | None:
    """Rename a study of a storage; returns its new name, None if there was none."""
    names = {study.study_name for study in storage.get_all_studies()}
    if name not in names:
        return None
    stamp = datetime.now().strftime("%Y-%m-%dT%H-%M-%S")
    kept, n = f"{name}.{stamp}", 1
    while kept in names:
        n += 1
        kept = f"{name}.{stamp}-{n}"
    optuna.copy_study(from_study_name=name, from_storage=storage, to_storage=storage, to_study_name=kept)
    # The copy is no record any more: a search must not find two of the same kind.
    study = optuna.load_study(study_name=kept, storage=storage)
    for key in (_CONTEXT, TUNE):
        if key in study.user_attrs:
            study.set_user_attr(f"{key}_kept", study.user_attrs[key])
            study.set_user_attr(key, None)
    optuna.delete_study(study_name=name, storage=storage)
    return kept


class Record:
    """The fits of one context, as they were recorded, and a way to record more.

    Args:
        study: The Optuna study behind it.
        context: What its fits share.
    """

    def __init__(self, study: optuna.Study, context: Context) -> None:
        self.study = study
        self.context = context

    @classmethod
    def open(cls, storage: BaseStorage, context: Context) -> Record:
        """Open the record of this context, beginning it where there is none."""
        study = optuna.create_study(study_name=context.name, storage=storage, load_if_exists=True)
        if study.user_attrs.get(_CONTEXT) != context.as_dict():
            study.set_user_attr(_CONTEXT, context.as_dict())
        return cls(study, context)

    @property
    def search(self) -> dict[str, Any]:
        """What the last search noted about itself: options, sizes, environment; plain values."""
        return dict(self.study.user_attrs.get(_SEARCH, {}))

    @property
    def last_used(self) -> str:
        """When a search last noted itself, as ISO text that sorts by time."""
        return str(self.study.user_attrs.get(_USED, ""))

    def note_search(self, search: dict[str, Any]) -> None:
        """Note what a search should be reported with."""
        if self.search != search:
            self.study.set_user_attr(_SEARCH, search)
        self.study.set_user_attr(_USED, datetime.now(UTC).isoformat())

    def add(self, fit: Fit, outcome: Outcome, engine: str) -> None:
        """Record a finished fit: one append, on disk when this returns."""
        self.study.add_trial(_as_trial(self.context, fit, outcome, engine))

    def fit_of(self, number: int) -> Fit:
        """The fit that an Optuna trial of the record holds."""
        return _from_trial(self.context, self.study.get_trials(deepcopy=False)[number])[0]

    def outcomes(self) -> dict[Fit, Outcome]:
        """Every recorded fit's outcome; a success stands for good, else the last attempt counts."""
        found: dict[Fit, Outcome] = {}
        for trial in self.study.get_trials(deepcopy=False):
            if "identity" not in trial.user_attrs:
                continue  # somebody else's trial, e.g. one enqueued from the dashboard
            fit, outcome = _from_trial(self.context, trial)
            known = found.get(fit)
            if known is None or known.failure is not None:
                found[fit] = outcome
        return found


def _as_trial(context: Context, fit: Fit, outcome: Outcome, engine: str) -> FrozenTrial:
    params: dict[str, int] = {"n_layers": len(fit.architecture)}
    distributions: dict[str, BaseDistribution] = {"n_layers": _DEPTH}
    for i, width in enumerate(fit.architecture, 1):
        params[f"width_{i}"], distributions[f"width_{i}"] = width, _WIDTH
    failed = outcome.failure is not None
    return create_trial(
        state=TrialState.FAIL if failed else TrialState.COMPLETE,
        value=None if failed else outcome.final_test_loss,
        params=params,
        distributions=distributions,
        intermediate_values={} if failed else dict(enumerate(outcome.test_losses)),
        user_attrs={
            "identity": context.identity(fit),
            "architecture": list(fit.architecture),
            "recipe": fit.recipe.as_dict(),
            "seed": fit.seed,
            "fold": fit.fold,
            "engine": engine,
            "seconds": outcome.seconds,
            "kept_epoch": outcome.kept_epoch,
            "train_losses": [] if failed else outcome.train_losses,
            "final_train_loss": None if failed else outcome.final_train_loss,
            "failure": outcome.failure,
            "recorded": datetime.now(UTC).isoformat(),
        },
    )


def _from_trial(context: Context, trial: FrozenTrial) -> tuple[Fit, Outcome]:
    attrs = trial.user_attrs
    recipe = Recipe(**attrs["recipe"])
    fit = Fit(tuple(attrs["architecture"]), context.latent_dim, recipe, attrs["seed"], attrs["fold"])
    final = attrs["final_train_loss"]
    losses = [trial.intermediate_values[epoch] for epoch in sorted(trial.intermediate_values)]
    train = float("nan") if final is None else final
    return fit, Outcome(
        attrs["train_losses"], losses, train, attrs["seconds"], {}, attrs["kept_epoch"], attrs["failure"]
    )


def records_in(storage: BaseStorage) -> Iterator[Record]:
    """Every record of a storage, in the order in which they were begun.

    Raises:
        InputError: If one is of another format.
    """
    for frozen in storage.get_all_studies():
        if frozen.user_attrs.get(_CONTEXT):
            study = optuna.load_study(study_name=frozen.study_name, storage=storage)
            try:
                context = Context.from_dict(frozen.user_attrs[_CONTEXT])
            except (ValueError, KeyError, TypeError) as error:
                raise InputError(f"study {frozen.study_name}: cannot be read: {error}") from None
            yield Record(study, context)
