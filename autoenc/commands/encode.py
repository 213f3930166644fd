"""``encode``: the latent points of a table's rows."""

from __future__ import annotations

from pathlib import Path

from autoenc.checkpoint import load_model
from autoenc.ensemble import FittedEnsemble
from autoenc.errors import InputError
from autoenc.paths import write_atomically
from autoenc.settings import EncodeSettings
from autoenc.tables import numeric_column, read_frame

__all__ = ["encode"]


def encode(settings: EncodeSettings) -> int:
    """Encode a table with a saved model into a CSV, a row per row.

    Raises:
        InputError: If model or table cannot be used, or the output cannot be written.
    """
    import pandas as pd

    model = load_model(settings.model)
    if isinstance(model, FittedEnsemble):
        raise InputError(
            f"{settings.model}: is an ensemble, whose members have latent spaces of their own; "
            "encode with one model, which search --save_models makes"
        )
    frame = read_frame(settings.data_path)
    if model.columns is None:
        raise InputError(f"{settings.model}: does not name its columns; load it in Python and pass an array")
    missing = [name for name in model.columns if name not in frame.columns]
    if missing:
        raise InputError(f"{settings.data_path}: has no column {', '.join(missing)}, which the model needs")
    columns = {name: numeric_column(frame, name, settings.data_path) for name in model.columns}
    latents = model.encode(pd.DataFrame(columns))
    output = Path(settings.output)
    try:
        write_atomically(output, lambda file: latents.to_csv(file, index=False, mode="wb"))
    except OSError as error:
        raise InputError(f"--output {output}: cannot be written: {error.strerror}") from None
    print(f"{len(latents):,} rows, latent size {latents.shape[1]}: {output}")
    return 0
