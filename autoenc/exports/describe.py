"""Description of a model in an exported file, as plain values for JSON."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

from autoenc import __version__

if TYPE_CHECKING:
    from autoenc.fitted.autoencoder import FittedAutoencoder
    from autoenc.fitted.ensemble import FittedEnsemble

__all__ = ["description", "members_of"]


def members_of(model: FittedAutoencoder | FittedEnsemble) -> list[FittedAutoencoder]:
    """Return the networks of an ensemble, or the model itself."""
    members: list[FittedAutoencoder] = getattr(model, "members", [model])
    return members


def description(model: FittedAutoencoder | FittedEnsemble) -> dict[str, Any]:
    """Return sizes, columns, scaling, recipe and origin of a model; of an ensemble those of each member.

    Of mixed columns ``columns`` are those of numbers that stand for them, and ``encoding`` says what for.
    """
    members = members_of(model)
    document = {"autoenc_version": __version__, **model.info}
    if members != [model]:
        document |= {"columns": model.columns, "members": [member.info for member in members]}
    if model.encoding is not None:
        document["encoding"] = model.encoding.as_plain()
    return {name: _finite(value) for name, value in document.items()}


def _finite(value: Any) -> Any:
    """Replace numbers that strict JSON cannot hold by None."""
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not isfinite(value) else value
