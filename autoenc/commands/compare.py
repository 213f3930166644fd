"""``compare``: the best loss against the latent size, with PCA beside it."""

from __future__ import annotations

from pathlib import Path

from autoenc.analysis.selection import elbow
from autoenc.errors import InputError
from autoenc.report.comparison import comparison_lines, draw_comparison
from autoenc.settings import CompareSettings
from autoenc.system.outputs import is_regular, summary_stream, write_output
from autoenc.system.paths import make_folder
from autoenc.system.png import png_content
from autoenc.system.text import say, warn
from autoenc.workflows.compare import latest_records, size_rows

__all__ = ["compare"]


def compare(settings: CompareSettings) -> int:
    """Print and draw the loss of each latent size's chosen stack, and name the elbow.

    Raises:
        InputError: If a folder holds no record, fewer than two latent sizes were searched, or the
            searches are of different data or splits and cannot be compared; or the output is no picture.
    """
    by_default = str(Path(settings.folders[0], "latent_comparison.png"))
    output = by_default if settings.output is None else settings.output
    if Path(output).is_dir() or (is_regular(output) and Path(output).suffix != ".png"):
        raise InputError(f"--output {output}: must name a file that ends in .png")
    records, left_out = latest_records([Path(folder) for folder in settings.folders], settings.storage)
    for text in left_out:
        warn(f"warning: {text}")
    rows = size_rows(records)
    if len(rows) < 2:
        found = f"only latent size {rows[0].latent_size}" if rows else "none"
        raise InputError(
            f"two latent sizes are needed at least, and there is {found}; e.g. search --latent_dim 2,3,4,8"
        )
    at = elbow([(row.latent_size, row.loss) for row in rows])
    stream = summary_stream(output)
    say(*comparison_lines(rows, at), file=stream)
    picture = png_content(draw_comparison(rows, at))
    if is_regular(output):
        make_folder(Path(output).parent, "--output")
    write_output("--output", output, picture)
    say(f"{'picture':<13} {output}", file=stream)
    return 0
