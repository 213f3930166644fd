"""``impute``: a table with its missing cells filled by a model."""

from __future__ import annotations

from autoenc.errors import listed
from autoenc.report.row_files import check_row_file
from autoenc.settings import ImputeSettings
from autoenc.system.outputs import refuse_inputs, summary_stream, write_output
from autoenc.system.text import say
from autoenc.workflows.imputing import impute_file
from autoenc.workflows.models import load_model

__all__ = ["impute"]


def impute(settings: ImputeSettings) -> int:
    """Write a table whose missing cells are filled, every other cell as it is.

    Raises:
        InputError: If model or table cannot be used, or the output cannot be written.
    """
    output = settings.output
    refuse_inputs("--output", output, {"--data_path": settings.data_path, "--model": settings.model})
    check_row_file(output)
    model = load_model(settings.model)
    imputed = impute_file(model, settings.data_path, output, settings.na_values, settings.dialect)
    write_output("--output", output, imputed.content)
    n_cells, n_columns = sum(imputed.n_cells.values()), len(imputed.n_cells)
    filled = f"{n_cells:,} cell{'s' * (n_cells != 1)} of {n_columns} column{'s' * (n_columns != 1)} filled"
    say(f"{imputed.n_rows:,} rows, {filled}: {output}", file=summary_stream(output))
    if imputed.n_left:
        names = listed(list(imputed.n_left))
        say(
            f"still missing cells in columns that the model does not know: {names}",
            file=summary_stream(output),
        )
    return 0
