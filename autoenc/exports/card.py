"""A model card in Markdown: what a model was made from and how, how good it is, and where it ends."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from autoenc import __version__
from autoenc.exports.describe import members_of
from autoenc.exports.quality import Quality
from autoenc.models.grid import format_architecture
from autoenc.system.text import escaped

if TYPE_CHECKING:
    from autoenc.fitted.autoencoder import FittedAutoencoder
    from autoenc.fitted.ensemble import FittedEnsemble

__all__ = ["card_of"]

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~&$])")
_LOSSES = {
    "final_test_loss": "loss on the test rows",
    "holdout_test_loss": "loss on the test rows",
    "explained": "explained variance of the test rows",
}


def card_of(model: FittedAutoencoder | FittedEnsemble, quality: Quality | None) -> str:
    """Return the card.

    Args:
        model: What it describes.
        quality: How well it reconstructs each column of some rows, if that was measured.
    """
    members = members_of(model)
    parts = [
        [f"# {_title(members)}", f"Made with autoenc {__version__}."],
        _networks(members),
        _data(model, members[0]),
        _recipe(members),
        _quality(model, quality),
        _limits(members[0], len(members) > 1),
    ]
    return "\n\n".join("\n\n".join(part) for part in parts if part) + "\n"


def _title(members: Sequence[FittedAutoencoder]) -> str:
    if len(members) > 1:
        return f"Ensemble of {len(members)} autoencoders"
    shape = members[0].model.shape
    return f"Autoencoder {format_architecture(shape.hidden_dims)}, latent size {shape.latent_dim}"


def _networks(members: Sequence[FittedAutoencoder]) -> list[str]:
    rows = [
        (
            f"{info['input_dim']}-{format_architecture([*info['hidden_dims'], info['latent_dim']])}",
            f"{info['total_params']:,}", info["activation"], info["norm"],
        )
        for info in (member.info for member in members)
    ]  # fmt: skip
    text = "The encoder has these widths, from the columns to the latent points; the decoder mirrors it."
    return ["## Network", text, _table(("encoder", "parameters", "activation", "norm"), rows)]


def _data(model: FittedAutoencoder | FittedEnsemble, first: FittedAutoencoder) -> list[str]:
    info, scaling = first.info, first.scaling
    facts = []
    if "n_train" in info:
        facts.append(f"It learned from {info['n_train']:,} rows.")
    if "data_fingerprint" in info:
        facts.append(f"SHA-256 of the table: `{info['data_fingerprint']}`.")
    if info.get("na_values"):
        facts.append(f"Missing beside empty cells: {', '.join(map(_text, info['na_values']))}.")
    facts.append(f"Columns are scaled by {scaling.kind}.")
    if model.encoding is not None:
        facts.append("Categories, truth values and dates stand as the numbers below.")
    names = model.columns or [f"column {j + 1}" for j in range(scaling.scale.size)]
    ends = [np.full(len(names), np.nan) if end is None else end for end in (scaling.low, scaling.high)]
    rows = [
        (_text(name), _number(low), _number(high), "no" if out else "yes")
        for name, low, high, out in zip(names, *ends, scaling.left_out, strict=True)
    ]
    return ["## Data", " ".join(facts), _table(("column", "lowest", "highest", "learned"), rows)]


def _recipe(members: Sequence[FittedAutoencoder]) -> list[str]:
    recipes = [member.info.get("recipe", {}) for member in members]
    if not any(recipes):
        return []
    # An empty one is no choice of the recipe: the scaling that it does not name stands with the data.
    names = dict.fromkeys(name for recipe in recipes for name, value in recipe.items() if value != "")
    heads = ["option", *(["value"] if len(members) == 1 else [f"member {i}" for i in range(len(members))])]
    rows = [(name, *(_text(recipe.get(name, "")) for recipe in recipes)) for name in names]
    return ["## Recipe", _table(heads, rows)]


def _quality(model: FittedAutoencoder | FittedEnsemble, quality: Quality | None) -> list[str]:
    lines = ["## Quality"]
    known = [
        f"{said[0].upper()}{said[1:]}: {_number(value)}."
        for name, said in _LOSSES.items()
        if isinstance(value := model.info.get(name), int | float)
    ]
    if known:
        text = " ".join(known)
        lines.append(f"{text} The loss is in scaled units; the test rows may have chosen the model.")
    if quality is None:
        return [*lines, "The quality of each column was not measured: that takes rows."]
    overall = "no column varies" if quality.explained is None else f"{quality.explained:.1%} on average"
    lines.append(
        f"Measured on {quality.n_rows:,} rows, which may be among those it learned from. The error is the "
        "root of the mean squared error in the column's own units; explained variance is 100% for a "
        f"perfect reconstruction and 0% for one as good as the column's mean: {overall}."
    )
    rows = [
        (
            _text(column.name), f"{column.missing:.1%}", _number(column.error), _number(column.deviation),
            "" if column.explained is None else f"{column.explained:.1%}",
        )
        for column in quality.columns
    ]  # fmt: skip
    heads = ("column", "missing", "error", "standard deviation", "explained variance")
    return [*lines, _table(heads, rows)]


def _limits(first: FittedAutoencoder, is_ensemble: bool) -> list[str]:
    limits = [
        "It knows the ranges above. A cell past them by more than five times their width gives a warning, "
        "but none in an exported graph.",
        "A missing cell enters the network as 0 in scaled units. What it is filled with is an estimate, "
        "without a measure of its uncertainty.",
        "A reconstruction goes through few latent numbers, so that rare values and combinations are drawn "
        "towards the usual ones.",
        "Latent columns have no order and no sign of their own: another seed gives other ones.",
    ]
    if is_ensemble:
        limits[-1] = "The members have latent spaces of their own, so that an ensemble has none."
    left_out = np.flatnonzero(first.scaling.left_out)
    if left_out.size:
        limits.append(
            f"{left_out.size} columns did not vary in the training rows: nothing was learned of them, and "
            "they are given back as one number."
        )
    return ["## Limits", "\n".join(f"- {limit}" for limit in limits)]


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _text(value: Any) -> str:
    """Return a name as text in Markdown, whatever it holds."""
    return _SPECIAL.sub(r"\\\1", escaped(value))


def _number(value: float | None) -> str:
    return "" if value is None or np.isnan(value) else f"{value:.4g}"
