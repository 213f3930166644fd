"""Digests of what a record holds, so that a changed byte is seen wherever the record is read.

A trial that ended carries a digest of its content among its attributes, and what a study notes about itself
is kept together with a digest. Readers see neither.
"""

from __future__ import annotations

import copy
import hashlib
import json
from typing import Any

from optuna.distributions import BaseDistribution, distribution_to_json
from optuna.trial import FrozenTrial, TrialState

__all__ = [
    "DIGEST", "LOST", "MEASURED", "begun_digest", "digest_of", "holds", "is_as_begun", "is_sealed",
    "lost_trial", "sealed", "trial_digest", "without_digest",
]  # fmt: skip

DIGEST = "digest"
"""The attribute of a trial that holds its digest."""
MEASURED = "measured"
"""The attribute of a trial in training that holds what units of it came to, with a digest of its own."""
LOST = "its record is damaged"
"""Why a trial failed, where its content is not what was recorded."""


def digest_of(value: Any) -> str:
    """Return a digest of plain values, 32 hexadecimal digits; the order of a dictionary does not count."""
    if not _has_text_keys(value):
        # As it is read again: keys that are numbers become text, which sorts in another order.
        value = json.loads(json.dumps(value))
    return _digest_of_text_keys(value)


def _digest_of_text_keys(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _has_text_keys(value: Any) -> bool:
    """Return whether all keys of all dictionaries in a value are text, as they are in what was read."""
    if isinstance(value, dict):
        for key, item in value.items():
            if type(key) is not str or (isinstance(item, _NESTED) and not _has_text_keys(item)):
                return False
    elif isinstance(value, _NESTED):
        for item in value:
            if isinstance(item, _NESTED) and not _has_text_keys(item):
                return False
    return True


_NESTED = dict, list, tuple
_described: dict[int, tuple[BaseDistribution, Any]] = {}


def _description(distribution: BaseDistribution) -> Any:
    """Return a distribution as plain values; those of fits are a few objects, of many digests."""
    known = _described.get(id(distribution))
    if known is None:
        known = distribution, json.loads(distribution_to_json(distribution))
        if len(_described) < 1000:
            _described[id(distribution)] = known
    return known[1]


def sealed(study: str, key: str, value: Any) -> dict[str, Any]:
    """Return a value of a study together with its digest; the study's name and the key are part of it."""
    return {"value": value, DIGEST: digest_of([study, key, value])}


def is_sealed(study: str, key: str, stored: Any) -> bool | None:
    """Return whether the digest of a stored value holds; None if it has none."""
    if not (isinstance(stored, dict) and stored.keys() == {"value", DIGEST}):
        return None
    try:
        return bool(stored[DIGEST] == digest_of([study, key, stored["value"]]))
    except TypeError:  # a name in a database that is no text any more
        return False


def trial_digest(study: str, trial: FrozenTrial, numbered: bool) -> str:
    """Return a digest of a trial that ended: outcome, parameters, curve and attributes, but not its times.

    Args:
        study: The name of its study.
        trial: The trial.
        numbered: Whether its number counts, as it does where samplers draw by it.
    """
    distributions = {name: _description(distribution) for name, distribution in trial.distributions.items()}
    attributes = {key: value for key, value in trial.user_attrs.items() if key != DIGEST}
    # Optuna's CMA-ES left its state in records of earlier versions; nothing reads it.
    noted = {key: value for key, value in trial.system_attrs.items() if "cma" not in key.split(":")[0]}
    content = [
        study, trial.state.name, trial.values, trial.params, distributions,
        sorted(trial.intermediate_values.items()), attributes, noted,
    ]  # fmt: skip
    # The rest has text for keys; looking at all of it takes as long as the digest.
    digest = _digest_of_text_keys if _has_text_keys([attributes, noted]) else digest_of
    return f"{trial.number}:{digest([trial.number, content])}" if numbered else digest(content)


def begun_digest(study: str, number: int, params: dict[str, Any]) -> str:
    """Return a digest of what was drawn for a trial that has not ended."""
    return f"begun:{digest_of([study, number, params])}"


def is_as_begun(study: str, trial: FrozenTrial) -> bool:
    """Return whether an unfinished trial has the parameters that were drawn for it, as far as is recorded."""
    stored = str(trial.user_attrs.get(DIGEST, ""))
    return not stored.startswith("begun:") or stored == begun_digest(study, trial.number, trial.params)


def holds(study: str, trial: FrozenTrial) -> bool | None:
    """Return whether the digest of a trial holds; None if it has none."""
    stored = trial.user_attrs.get(DIGEST)
    if stored is None:
        return None
    try:
        return bool(stored == trial_digest(study, trial, numbered=":" in str(stored)))
    except (TypeError, ValueError):
        return False


def without_digest(trial: FrozenTrial) -> FrozenTrial:
    """Return the trial as readers see it; of one that ended, what its units came to is in its result."""
    hidden = {DIGEST, MEASURED} if trial.state.is_finished() else {DIGEST}
    shown = copy.copy(trial)
    shown.user_attrs = {key: value for key, value in trial.user_attrs.items() if key not in hidden}
    return shown


def lost_trial(number: int, trial_id: int) -> FrozenTrial:
    """Return what stands for a trial whose record is damaged: one that failed, of which nothing is known."""
    return FrozenTrial(
        number=number, trial_id=trial_id, state=TrialState.FAIL, value=None, datetime_start=None,
        datetime_complete=None, params={}, distributions={}, user_attrs={"failure": LOST}, system_attrs={},
        intermediate_values={},
    )  # fmt: skip
