"""Description of a model in an exported file, as plain values for JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autoenc import __version__
from autoenc.system.strict_json import finite

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
    return finite(document)
