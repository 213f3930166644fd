"""Options of one training, as an estimator takes them."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from pydantic import AfterValidator, FiniteFloat

from autoenc.engines import Recipe
from autoenc.engines.recipe import Family
from autoenc.settings.base import SOME, SPLIT, Width
from autoenc.settings.options import again, option
from autoenc.settings.recipes import RecipeSettings
from autoenc.settings.search import SearchSettings
from autoenc.settings.shared import DeviceSettings, ScheduleSettings
from autoenc.settings.space import FamilySettings
from autoenc.settings.train_best import TrainBestSettings
from autoenc.settings.training import TrainingSettings

__all__ = ["AutoencoderSettings"]


def _not_increasing(widths: tuple[int, ...]) -> tuple[int, ...]:
    if list(widths) != sorted(widths, reverse=True):
        raise ValueError(f"must not increase, got {','.join(map(str, widths))}")
    return widths


HiddenDims = Annotated[tuple[Width, ...], SPLIT, SOME, AfterValidator(_not_increasing)]


class AutoencoderSettings(FamilySettings, RecipeSettings, DeviceSettings):
    """Options of one training of one stack; each option of the recipe has one value."""

    hidden_dims: HiddenDims = again(
        TrainBestSettings,
        "hidden_dims",
        (64, 32),
        description='hidden widths of the encoder, e.g. "64,32"',
    )
    latent_dim: Width = again(SearchSettings, "latent_dim", 3, description="size of the latent space")
    eta_min: FiniteFloat = again(ScheduleSettings, "eta_min")
    min_epochs: int = again(ScheduleSettings, "min_epochs")
    family: Family = option(
        "ae",
        role="training",
        description="ae: plain; dae: must restore cells that are hidden from it; vae: variational",
    )
    seed: int = again(TrainingSettings, "seed")

    def contradictions(self) -> list[tuple[tuple[str, ...], str]]:
        """See :meth:`.Settings.contradictions`."""
        problems: list[tuple[tuple[str, ...], str]] = [
            ((name,), f"--{name} must be one value, got {', '.join(map(str, values))}")
            for name, values in self.varied.items()
        ]
        if not problems and self.eta_min > self.initial_lr[0]:
            text = f"{self.eta_min:g} and {self.initial_lr[0]:g}"
            problems.append(
                (("eta_min", "initial_lr"), f"--eta_min must not be above --initial_lr, got {text}")
            )
        problems += self.engine_contradictions()
        return problems

    def one_recipe(self) -> Recipe:
        """Return how the stack is trained."""
        (recipe,) = self.recipes()
        others = {name: Recipe.__dataclass_fields__[name].default for name in FamilySettings.model_fields}
        return replace(recipe, **{**others, **self.of_family(self.family)})
