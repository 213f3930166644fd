"""What a tracking server is told of a fit, and what it must be able to do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from autoenc.engines import Fit, Outcome
from autoenc.models.grid import format_architecture

__all__ = ["Entry", "Tracker", "entry_of"]


class Entry(NamedTuple):
    """A fit, or a trial of a transfer-aware search, as it is logged.

    Attributes:
        key: Equal for equal fits of equal searches; a failure has another one than a success.
        name: For people.
        options: What was trained, and how.
        curves: Losses by their name, one an epoch; of a trial the objective after each fold.
        metrics: What came of it.
        failure: Why it failed; None where it did not.
    """

    key: str
    name: str
    options: dict[str, Any]
    curves: dict[str, Sequence[float]]
    metrics: dict[str, float]
    failure: str | None


class Tracker(Protocol):
    """A place where fits and trials are logged."""

    def known(self) -> set[str]:
        """Return the keys of all entries that are logged whole."""
        ...

    def log(self, entry: Entry) -> None:
        """Log a fit or a trial."""
        ...

    def keep(self, name: str, files: Sequence[Path]) -> None:
        """Keep pictures, tables and the model of a search, in place of those that were kept before.

        Args:
            name: Of the search.
            files: Of its folder; each is there.
        """
        ...


def entry_of(search: str, fit: Fit, outcome: Outcome, input_dim: int) -> Entry:
    """Return what is logged of a fit.

    Args:
        search: The name of what all fits of its search share.
        fit: The fit.
        outcome: What came of it.
        input_dim: How many columns it learned from.
    """
    stack = format_architecture(fit.architecture)
    options = {
        "hidden_dims": stack, "latent_dim": fit.latent_dim, "fold": fit.fold, "seed": fit.seed,
        **fit.recipe.as_dict(), "epochs": fit.recipe.epochs,
    }  # fmt: skip
    metrics: dict[str, float] = {
        "seconds": outcome.seconds,
        "parameters": fit.network(input_dim).count_parameters(),
    }
    if outcome.failure is None:
        metrics |= {"final_test_loss": outcome.final_test_loss, "final_train_loss": outcome.final_train_loss}
        if outcome.explained is not None:
            metrics["explained_variance"] = outcome.explained
    return Entry(
        f"{search}/{fit.digest}{'-failed' if outcome.failure is not None else ''}",
        f"{stack} latent {fit.latent_dim}, {fit.fold.replace('/', ' of ')}, seed {fit.seed}",
        options,
        {"train_loss": outcome.train_losses, "test_loss": outcome.test_losses},
        metrics,
        outcome.failure,
    )
