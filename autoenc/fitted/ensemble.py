"""Several trained models as one that averages their reconstructions."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from autoenc.data.frames import Rows
from autoenc.exports.card import card_of
from autoenc.exports.files import write_export
from autoenc.exports.quality import Quality, quality_of
from autoenc.fitted.autoencoder import (
    FORMAT_VERSION,
    FittedAutoencoder,
    given_back,
    model_content,
    model_of_content,
)
from autoenc.fitted.imputation import impute
from autoenc.fitted.parts import check_keys, info_of
from autoenc.fitted.sealed import sealed, write_sealed

__all__ = ["ENSEMBLE_FORMAT", "FittedEnsemble", "ensemble_of_content", "save_ensemble"]

ENSEMBLE_FORMAT = "autoenc-ensemble"


class FittedEnsemble:
    """Trained autoencoders of the same columns and scaling: raw rows in, the mean of their raw rows out.

    Args:
        members: The models, at least two.
        info: What else is known, as plain values.

    Raises:
        ValueError: If there are fewer than two members, or their columns or scalings differ.

    Example:
        >>> import autoenc
        >>> rows = np.random.default_rng(0).random((60, 5))
        >>> options = {"hidden_dims_search": (4, 8), "max_layers": 1, "epochs": 2, "quiet": True}
        >>> first = autoenc.search(rows, latent_dim=2, **options).best_model()
        >>> second = autoenc.search(rows, latent_dim=3, **options).best_model()
        >>> FittedEnsemble([first, second], {}).reconstruct(rows).shape
        (60, 5)
    """

    def __init__(self, members: Sequence[FittedAutoencoder], info: Mapping[str, Any]) -> None:
        if len(members) < 2:
            raise ValueError(f"members must be at least two models, got {len(members)}")
        first = members[0]
        for member in members[1:]:
            is_same = member.columns == first.columns and member.encoding == first.encoding
            if not is_same or _scaled_as(member) != _scaled_as(first):
                raise ValueError("members must have the same columns and the same scaling, and have not")
        self.members = list(members)
        self.columns = first.columns
        self.scaling = first.scaling
        self.encoding = first.encoding
        self.info: dict[str, Any] = dict(info)

    def encode(self, data: Any) -> NoReturn:
        """Refuse: each member has a latent space of its own.

        Raises:
            ValueError: Always.
        """
        raise ValueError(
            "an ensemble has no latent space: its members have latent spaces of their own; "
            "use members[i].encode"
        )

    def reconstruct(self, data: Any) -> Any:
        """Return rows as the members give them back on average, in original units, missing cells filled in.

        Takes, raises and warns as :meth:`FittedAutoencoder.encode` does; returns ``[rows, columns]``.
        """
        rows = self.rows(data)
        return given_back(self, rows, self.reconstructed(rows.cells))

    def impute(self, data: Any) -> Any:
        """Return rows whose missing cells are filled, as by :meth:`FittedAutoencoder.impute`."""
        return impute(self, data)

    def rows(self, data: Any, stacklevel: int = 3) -> Rows:
        """Return rows as :meth:`reconstruct` takes them; see :meth:`FittedAutoencoder.rows`."""
        return self.members[0].rows(data, stacklevel + 1)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the members to one file; as :meth:`FittedAutoencoder.save`."""
        save_ensemble(Path(path), self)

    def reconstruct_scaled(self, data: Any) -> NDArray[np.float32]:
        """Return the same in scaled units, as an array: the mean is taken there."""
        return self.reconstructed(self.rows(data).cells)

    def export(self, path: str | Path, format: str | None = None) -> None:
        """Write the ensemble for other programs, as :meth:`FittedAutoencoder.export` does a model.

        Graphs and programs have no latent points, and average the reconstructions.
        """
        write_export(self, Path(path), format)

    def card(self, data: Any = None) -> str:
        """Return a description for people, as :meth:`FittedAutoencoder.card`."""
        return card_of(self, None if data is None else self._quality(data))

    def _quality(self, data: Any) -> Quality:
        cells = self.rows(data).cells
        return quality_of(self.columns, cells, self.scaling.undo(self.reconstructed(cells)))

    def content(self) -> dict[str, Any]:
        """Return what the file of an ensemble holds."""
        return {
            "format": ENSEMBLE_FORMAT,
            "version": FORMAT_VERSION,
            "members": [model_content(member) for member in self.members],
            "info": self.info,
        }

    def sealed_content(self) -> dict[str, Any]:
        """Return the same with its digest, which shows any change of it."""
        return sealed(self.content())

    def reconstructed(self, cells: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return reconstructions of rows in original units, in scaled units, as an array."""
        total = self.members[0].reconstructed(cells).astype(np.float64)
        for member in self.members[1:]:
            total += member.reconstructed(cells)
        return (total / len(self.members)).astype(np.float32)


def _scaled_as(member: FittedAutoencoder) -> tuple[str, bytes]:
    return member.scaling.kind, member.scaling.key


def save_ensemble(path: Path, ensemble: FittedEnsemble) -> None:
    """Write an ensemble that :func:`autoenc.load_model` reads; it holds tensors and plain values only.

    Raises:
        ValueError: If a member does not know its columns or its recipe.
        OSError: If the file cannot be written; an earlier one is then as it was.
    """
    write_sealed(path, ensemble.content())


def ensemble_of_content(content: Mapping[str, Any]) -> FittedEnsemble:
    """Return the ensemble that a file's content describes; raises as :func:`.model_of_content`."""
    check_keys(content, ("format", "version", "members", "info"))
    return FittedEnsemble(
        [model_of_content(member) for member in content["members"]], info_of(content["info"], ())
    )
