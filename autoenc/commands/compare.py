"""``compare``: the best loss against the latent size, with PCA beside it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import NamedTuple

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from autoenc.analysis.baselines import above_pca
from autoenc.analysis.selection import elbow
from autoenc.errors import InputError
from autoenc.record.record import Record, records_in
from autoenc.record.storage import journal_path, open_storage
from autoenc.report import SearchResults
from autoenc.report.plots import COLOURS, loss_name, new_figure
from autoenc.settings import CompareSettings, SearchSettings
from autoenc.system.outputs import is_regular, summary_stream, write_output
from autoenc.system.paths import make_folder, png_content
from autoenc.system.text import say

__all__ = ["compare"]


class Row(NamedTuple):
    """The stack that is kept of one latent size, by which rule, and what its loss is."""

    latent_size: int
    name: str
    loss: float
    standard_error: float | None
    pca: float
    rule: str = "best"
    measure: str = "final test loss"
    above_pca: float | None = None


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
    rows = _rows(_latest([Path(folder) for folder in settings.folders]))
    if len(rows) < 2:
        raise InputError(
            "two latent sizes are needed at least, got "
            f"{', '.join(str(row.latent_size) for row in rows) or 'none'}; e.g. search --latent_dim 2,3,4,8"
        )
    at = elbow([(row.latent_size, row.loss) for row in rows])
    stream = summary_stream(output)
    say(*_told(rows, at), file=stream)
    picture = png_content(draw(rows, at))
    if is_regular(output):
        make_folder(Path(output).parent, "--output")
    write_output("--output", output, picture)
    say(f"{'picture':<13} {output}", file=stream)
    return 0


def _told(rows: list[Row], at: int | None) -> list[str]:
    lines = [f"{'latent size':>11}  {'best stack':<20}  {'loss':>8}  {'PCA':>8}  against PCA"]
    for row in rows:
        share = "-" if row.above_pca is None else f"{100 * row.above_pca:+.0f} %"
        by = "" if row.rule == "best" else f"  by {row.rule}"
        losses = f"{row.loss:.6f}  {row.pca:.6f}  {share:>11}"
        lines.append(f"{row.latent_size:>11}  {row.name:<20}  {losses}{by}")
    if at is None:
        return [*lines, "", "no elbow: that takes at least three latent sizes with falling loss"]
    size = rows[at].latent_size
    return [*lines, "", f"elbow at latent size {size}: beyond it the loss falls more slowly"]


def _latest(folders: list[Path]) -> list[Record]:
    """The last search for each latent size."""
    problems: list[str] = []
    found: dict[int, Record] = {}
    for folder in folders:
        journal = journal_path(folder)
        if not journal.exists():
            problems.append(f"{folder}: there is no {journal.name} here")
            continue
        records = (record for record in records_in(open_storage(journal, read_only=True)) if record.search)
        for record in sorted(records, key=lambda record: record.last_used):
            found[record.context.latent_dim] = record
    kinds = {dataclasses.replace(record.context, latent_dim=0) for record in found.values()}
    if len(kinds) > 1:
        problems.append(
            "the searches are of different data, columns, scaling or split and cannot be compared; "
            "name folders of one kind"
        )
    elif len({record.search["settings"].get("folds", 0) for record in found.values()}) > 1:
        judged = ", ".join(f"size {size} by {_judges(found[size])}" for size in sorted(found))
        problems.append(f"other rows judge other latent sizes ({judged}); search them with the same --folds")
    if problems:
        raise InputError(problems)
    return [found[size] for size in sorted(found)]


def _judges(record: Record) -> str:
    folds = record.search["settings"].get("folds", 0)
    return f"{folds} folds" if folds else "the test rows"


def _rows(records: list[Record]) -> list[Row]:
    rows = []
    for record in records:
        results = SearchResults.of(SearchSettings.model_validate(record.search["settings"]), record)
        if results.ranked:
            found, pca = results.selection, results.baselines["pca"]
            kept, size, measure = found.chosen, record.context.latent_dim, loss_name(results)
            above = above_pca(kept.loss, results.baselines)
            rows.append(
                Row(size, kept.trial.name, kept.loss, kept.standard_error, pca, found.rule, measure, above)
            )
    return rows


def draw(rows: list[Row], at: int | None) -> Figure:
    """Loss against latent size, autoencoder and PCA, the elbow circled."""
    figure = new_figure()
    axis = figure.add_subplot()
    sizes = [row.latent_size for row in rows]
    errors = [row.standard_error or 0.0 for row in rows]
    axis.errorbar(
        sizes, [row.loss for row in rows], yerr=errors if any(errors) else None, color=COLOURS[0], marker="o",
        capsize=3, label="autoencoder" + (", with standard error" if any(errors) else ""),
    )  # fmt: skip
    axis.plot(sizes, [row.pca for row in rows], color=COLOURS[1], marker="s", linestyle="--", label="PCA")
    if at is not None:
        axis.scatter(
            sizes[at], rows[at].loss, s=190, facecolor="none", edgecolor="black", linewidth=1.5, zorder=4,
            label=f"elbow: latent size {sizes[at]}",
        )  # fmt: skip
    axis.set_ylim(bottom=0)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set_xlabel("latent size")
    axis.set_ylabel(f"{rows[0].measure} (weighted squared error, scaled units)")
    axis.set_title("Loss of the chosen stack against latent size", loc="left")
    axis.grid(alpha=0.3)
    axis.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False)
    return figure
