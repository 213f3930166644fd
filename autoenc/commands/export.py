"""``export``: a model as other programs read it, and a card that describes it."""

from __future__ import annotations

import warnings

from autoenc.data.read import read_table
from autoenc.data.sources import source_name
from autoenc.errors import InputError
from autoenc.exports.files import exported, format_of
from autoenc.fitted.autoencoder import FittedAutoencoder
from autoenc.fitted.ensemble import FittedEnsemble
from autoenc.settings import ExportSettings
from autoenc.system.outputs import refuse_inputs, summary_stream, write_output
from autoenc.system.paths import utf8
from autoenc.system.text import say, warn
from autoenc.two_stage.checkpoint import FittedTransfer
from autoenc.workflows.models import load_model
from autoenc.workflows.rows import features_of, noted_markers

__all__ = ["export"]


def export(settings: ExportSettings) -> int:
    """Write a model for other programs, a card for people, or both.

    Raises:
        InputError: If model or table cannot be used, a package is not installed, or an output cannot be
            written.
    """
    _check_asked(settings)
    outputs = {"--output": settings.output, "--card": settings.card}
    given = {option: name for option, name in outputs.items() if name is not None}
    inputs = {"--model": settings.model}
    if settings.data_path is not None:
        inputs["--data_path"] = settings.data_path
    for option, name in given.items():
        refuse_inputs(option, name, inputs)
    if settings.output is not None and settings.card is not None:
        refuse_inputs("--card", settings.card, {"--output": settings.output})
    format = None if settings.output is None else format_of(settings.output, settings.format)
    model = load_model(settings.model)
    if isinstance(model, FittedTransfer) and format in ("onnx", "torch"):
        warn(f"warning: {settings.model}: its heads for predictions are left out; safetensors keeps them")
    card = None if settings.card is None else _card(model, settings)
    if settings.output is not None and format is not None:
        write_output("--output", settings.output, exported(model, format))
        say(f"{format}: {settings.output}", file=summary_stream(settings.output))
    if settings.card is not None and card is not None:
        write_output("--card", settings.card, utf8(card))
        say(f"model card: {settings.card}", file=summary_stream(settings.card))
    return 0


def _check_asked(settings: ExportSettings) -> None:
    problems = []
    if settings.output is None and settings.card is None:
        problems.append("--output or --card must say what is written")
    if settings.card is None and settings.data_path is not None:
        problems.append("--data_path is measured for --card, which is not given")
    if settings.output == settings.card == "-":
        problems.append("--output and --card cannot both be standard output")
    if problems:
        raise InputError(problems)


def _card(model: FittedAutoencoder | FittedEnsemble, settings: ExportSettings) -> str:
    if settings.data_path is None:
        return model.card()
    if model.columns is None:
        raise InputError(f"{settings.model}: does not name its columns; load it in Python and pass an array")
    first = model.members[0] if isinstance(model, FittedEnsemble) else model
    table = source_name(settings.data_path)
    markers = noted_markers(first, settings.na_values)
    read = read_table(settings.data_path, (), markers, settings.dialect)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        card = model.card(features_of(model, read, settings.data_path))
    for warning in caught:
        warn(f"warning: {table}: {warning.message}")
    return card
