"""Options of ``fit``, which chooses stack and recipe by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, FiniteFloat, PlainSerializer

from autoenc.settings.base import DISTINCT, DataSettings, PathText, Width, comma_list
from autoenc.settings.options import again, option
from autoenc.settings.search import SearchSettings
from autoenc.settings.training import TrainingSettings

__all__ = ["FitSettings", "RaceSettings", "TableProfile", "search_settings"]


_FEW_ROWS = 60
"""Training rows below which little can be told from folds."""
_VERY_FEW_ROWS = 30
"""Training rows below which next to nothing can: networks chosen there gained nothing on real tables."""


def _sizes(value: Any) -> Any:
    return () if value == "auto" else comma_list(value)


def _written(sizes: tuple[int, ...]) -> Any:
    return sizes[0] if len(sizes) == 1 else list(sizes) or "auto"


LatentSizesOrAuto = Annotated[tuple[Width, ...], BeforeValidator(_sizes), DISTINCT, PlainSerializer(_written)]


_MANY_ROWS = 5000


class TableProfile(BaseModel):
    """Properties of a table on which the proposals of ``fit`` depend, beside the seed.

    Attributes:
        n_train: Training rows.
        n_columns: Columns.
        zero_share: Share of zeros among the observed cells of the training rows.
        has_long_tails: Whether a column has a long tail there.
        missing_share: Share of missing cells there.
        calibration_folds: See :class:`~autoenc.engines.Recipe`; not 0 where a column hardly varies in a fold.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    n_train: int = Field(ge=1)
    n_columns: int = Field(ge=1)
    zero_share: float = Field(ge=0, le=1)
    has_long_tails: bool
    missing_share: float = Field(0.0, ge=0, le=1)
    calibration_folds: int = Field(0, ge=0)

    @property
    def is_large(self) -> bool:
        """Whether folds are so large that their best epochs are taken at their word."""
        return self.n_train > _MANY_ROWS


class FitSettings(TrainingSettings):
    """Options of ``fit``."""

    _instead: ClassVar = {
        "select": "it keeps what is surely better than PCA, and of that the lowest loss",
        "plot": "its pictures are always drawn",
        "resume": "the same command with a larger --budget goes on",
        "shard": "more cores or machines do more within the budget: --jobs and --scheduler",
        "ensemble": "candidates of several scalings cannot be averaged; use `autoenc search --ensemble N`",
        "finalists": "it keeps what is surely better than PCA, and PCA where nothing is",
        "seeds": "its folds judge by one seed each; use `autoenc search --seeds N`",
        "dry_run": "it takes what --budget says",
        "save_models": "it always saves the model",
        "timeout_hours": "--budget says how many seconds it takes",
        "n_trials": "--budget says how long it goes on",
        "pruner": "candidates that do badly on the first fold are dropped anyway",
    }

    data_path: PathText = again(
        DataSettings,
        "data_path",
        description="table to learn from, of any format that search reads; - for standard input; the flag "
        "may be left out",
        words={"positional_too": True},
    )
    latent_dim: LatentSizesOrAuto = again(
        SearchSettings,
        "latent_dim",
        (3,),
        description='size of the latent space; several, "2,3,8", share the budget; auto tries sizes and says '
        "where more latent units stop paying",
    )
    encode: bool = again(
        TrainingSettings,
        "encode",
        True,
        description="learn from truth values, dates and categories, too, and leave out what identifies rows, "
        "is free text, constant or there twice; --no_encode learns from all numbers alone",
    )
    budget: FiniteFloat = option(
        60.0,
        role="progress",
        gt=0,
        description="seconds to search in all, those of earlier runs counted; more add to what is known",
    )
    folds: int = again(
        SearchSettings,
        "folds",
        0,
        description="folds of the training rows that judge; 0: 5 up to 1,000 rows, else 3",
    )

    refit: Literal["train", "all"] = again(SearchSettings, "refit")

    def contradictions(self) -> list[tuple[tuple[str, ...], str]]:
        """See :meth:`Settings.contradictions`."""
        if self.folds == 1:
            return [(("folds",), "--folds must be 0 or at least 2, got 1")]
        return []

    def n_folds(self, n_train: int) -> int:
        """Return the folds of so many training rows."""
        return self.folds or (5 if n_train <= 1000 else 3)

    def race(self, latent_dim: int, profile: TableProfile) -> RaceSettings:
        """Return the search for one latent size.

        Args:
            latent_dim: The size.
            profile: Of the table.
        """
        shared = {name: getattr(self, name) for name in TrainingSettings.model_fields}
        folds = self.n_folds(profile.n_train)
        given = {
            "latent_dim": (latent_dim,), "folds": folds, "budget": self.budget, "profile": profile,
            "refit": self.refit,
        }  # fmt: skip
        return RaceSettings.model_validate({**shared, **given, "save_models": True})


class RaceSettings(SearchSettings):
    """The search behind ``fit`` for one latent size: its recipes are proposed and not given."""

    budget: FiniteFloat = again(FitSettings, "budget")
    profile: TableProfile = option(role="space", description="what the proposals depend on")

    @property
    def n_errors(self) -> float:
        """Standard errors that a gain over PCA must be more than to count."""
        if self.profile.n_train < _VERY_FEW_ROWS:
            return 6.0
        return 2.5 if self.profile.n_train < _FEW_ROWS else 0.5

    @property
    def scaling_kind(self) -> str:
        """See :class:`RecipeSettings`: each recipe names its own."""
        return "recipe"

    @property
    def measure(self) -> Literal["loss", "explained"]:
        """See :class:`RecipeSettings`."""
        return "explained"


def search_settings(recorded: Mapping[str, Any]) -> SearchSettings:
    """Return the settings of an exhaustive search, or of one behind ``fit``, that a record holds."""
    kind = RaceSettings if "profile" in recorded else SearchSettings
    return kind.model_validate(recorded)
