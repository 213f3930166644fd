"""The space of an adaptive search, declared once: each range can be narrowed, fixed or widened."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, FiniteFloat, PlainSerializer

from autoenc.engines import ACTIVATIONS
from autoenc.engines.recipe import Activation, Family, Norm
from autoenc.settings.base import DISTINCT, SOME, SPLIT, Count, Dropout, Positive, Settings, Width, comma_list
from autoenc.settings.options import option

__all__ = ["Families", "FamilySettings", "SpaceSettings"]


def _as_pair(value: Any) -> Any:
    """Return ``"8,64"`` as ``["8", "64"]``; one value alone is a range without width."""
    pieces = comma_list(value)
    return [pieces[0], pieces[0]] if len(pieces) == 1 else pieces


def _ordered(pair: tuple[Any, Any]) -> tuple[Any, Any]:
    if pair[0] > pair[1]:
        raise ValueError(f"must be an ascending range, e.g. {pair[1]},{pair[0]}, got {pair[0]},{pair[1]}")
    return pair


_PAIR, _ASCENDING = BeforeValidator(_as_pair), AfterValidator(_ordered)
_WRITTEN = PlainSerializer(lambda pair: pair[0] if pair[0] == pair[1] else list(pair))
Depth = Annotated[int, Field(ge=1, le=1024)]
Depths = Annotated[tuple[Depth, Depth], _PAIR, _ASCENDING, _WRITTEN]
WidthRange = Annotated[tuple[Width, Width], _PAIR, _ASCENDING, _WRITTEN]
PositiveRange = Annotated[tuple[Positive, Positive], _PAIR, _ASCENDING, _WRITTEN]
ShareRange = Annotated[tuple[Dropout, Dropout], _PAIR, _ASCENDING, _WRITTEN]
BatchSizes = Annotated[tuple[Count, ...], SPLIT, SOME, DISTINCT]
Activations = Annotated[tuple[Activation, ...], SPLIT, SOME, DISTINCT]
Families = Annotated[tuple[Family, ...], SPLIT, SOME, DISTINCT]
NormOptions = Annotated[tuple[Norm, ...], SPLIT, SOME, DISTINCT]


class SpaceSettings(Settings):
    """The space of an adaptive search; a range is ``low,high``, one value alone fixes the option."""

    num_layers_range: Depths = option((1, 8), role="space", description="numbers of hidden layers to try")
    hidden_size_range: WidthRange = option(
        (8, 1024),
        role="space",
        description="widths to try, on a log scale; no layer is wider than the one before it",
    )
    learning_rate_range: PositiveRange = option(
        (1e-5, 1e-2), role="space", description="first learning rates to try, on a log scale"
    )
    weight_decay_range: PositiveRange = option(
        (1e-6, 1e-2), role="space", description="weight decays to try, on a log scale"
    )
    dropout_range: ShareRange = option((0.0, 0.5), role="space", description="dropout probabilities to try")
    batch_size_options: BatchSizes = option((16, 32, 64, 128), role="space", description="batch sizes to try")
    activation_options: Activations = option(ACTIVATIONS, role="space", description="activations to try")
    norm_options: NormOptions = option(("layer", "none"), role="space", description="normalizations to try")


class FamilySettings(Settings):
    """Options of the families of autoencoders."""

    corruption: FiniteFloat = option(
        0.2,
        role="training",
        ge=0,
        lt=1,
        description="probability that a cell is hidden from a denoising autoencoder",
    )
    kl_weight: FiniteFloat = option(
        1e-3, role="training", ge=0, description="weight of the KL divergence of a variational autoencoder"
    )
    kl_warmup: int = option(
        10, role="training", ge=0, description="epochs over which that weight rises to its full height"
    )

    def of_family(self, family: Family) -> dict[str, Any]:
        """Return the options of a recipe that go with a family, itself among them."""
        own: dict[Family, dict[str, Any]] = {
            "ae": {},
            "dae": {"corruption": self.corruption},
            "vae": {"kl_weight": self.kl_weight, "kl_warmup": self.kl_warmup},
        }
        return {"family": family, **own[family]}
