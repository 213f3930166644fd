"""``search``: train every stack of the grid, show the best."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from tqdm import tqdm

from autoenc.commands.verify import verify
from autoenc.data import Scaling, Table, load_table, split_table
from autoenc.engines import Engine, Fit, Outcome, Split, make_engine
from autoenc.errors import InputError
from autoenc.grid import ArchitectureGrid, format_architecture
from autoenc.paths import OutputPaths
from autoenc.report import SearchResults, write_latent_plane, write_reports
from autoenc.search import run_fits
from autoenc.settings import SearchSettings

__all__ = ["search"]


def search(settings: SearchSettings) -> int:
    """Run the search.

    Returns:
        The exit code: 1 if every fit failed or the engines disagree.

    Raises:
        InputError: If data, device or output folder cannot be used.
    """
    paths = OutputPaths(Path(settings.output_dir), settings.latent_dim)
    engine, table = _prepare(settings, paths)
    split, scaling = split_table(table, settings.scaling, settings.seed)
    grid = ArchitectureGrid(settings.hidden_dims_search, settings.max_layers)
    fits = [Fit(stack, settings.latent_dim, settings.recipe(), settings.seed) for stack in grid]
    if settings.verify:
        return verify(fits, settings.verify, split)
    results = SearchResults(
        settings, table.columns, table.fingerprint, len(table.values), split.train.size, split.test.size,
        engine.name, len(fits), {},
    )  # fmt: skip
    if not settings.quiet:
        print(_plan(results))
    outcomes = _train(results, fits, split, engine)
    results.outcomes.update({fit: outcomes[fit] for fit in fits})
    written = write_reports(results, paths)
    if not results.ranked:
        fit, outcome = results.failed[0]
        print(
            f"error: all {len(results.failed)} stacks failed; "
            f"{format_architecture(fit.architecture)}: {outcome.failure}",
            file=sys.stderr,
        )
        return 1
    written += _write_best(results, paths, engine, table, split, scaling)
    if not settings.quiet:
        print(_summary(results, written))
    return 0


def _prepare(settings: SearchSettings, paths: OutputPaths) -> tuple[Engine, Table]:
    """Engine, folder and table, with everything that is wrong about them told at once."""
    problems: list[str] = []
    engine = table = None
    try:
        engine = make_engine(settings.engine, settings.device)
        # Compiling, the first time, goes on while the table is read.
        threading.Thread(target=engine.prepare, daemon=True).start()
    except InputError as error:
        problems += error.problems
    try:
        if not settings.verify:
            paths.prepare()
    except InputError as error:
        problems += error.problems
    try:
        table = load_table(settings.data_path, settings.columns)
    except InputError as error:
        problems += error.problems
    if problems or engine is None or table is None:
        raise InputError(problems)
    for warning in table.warnings:
        print(f"warning: {table.path}: {warning}", file=sys.stderr)
    if settings.latent_dim >= len(table.columns):
        print(
            f"warning: latent size {settings.latent_dim} is not below the {len(table.columns)} columns: "
            "nothing has to be compressed",
            file=sys.stderr,
        )
    return engine, table


def _plan(results: SearchResults) -> str:
    settings = results.settings
    widths = ",".join(map(str, sorted(settings.hidden_dims_search)))
    cores = f"{settings.jobs} core{'s' if settings.jobs > 1 else ''}"
    return (
        f"{results.n_configurations:,} stacks of {widths}, up to {settings.max_layers} layers, "
        f"latent size {settings.latent_dim}, {settings.epochs} epochs\n"
        f"{settings.data_path}: {results.n_rows:,} rows x {len(results.columns)} columns, "
        f"{results.n_train:,} to train on, {results.n_test:,} to test on\n"
        f"engine {results.engine}, {cores}"
    )


def _train(results: SearchResults, fits: list[Fit], split: Split, engine: Engine) -> dict[Fit, Outcome]:
    outcomes: dict[Fit, Outcome] = {}
    best = float("inf")
    settings = results.settings
    with tqdm(total=len(fits), unit="stack", disable=settings.quiet, leave=True) as bar:

        def done(fit: Fit, outcome: Outcome) -> None:
            nonlocal best
            outcomes[fit] = outcome
            name = format_architecture(fit.architecture)
            if outcome.failure is None and outcome.final_test_loss < best:
                best = outcome.final_test_loss
                bar.set_postfix_str(f"best {name} {best:.5f}", refresh=False)
            if settings.verbose:
                told = outcome.failure or f"test loss {outcome.final_test_loss:.5f}"
                bar.write(
                    f"{name:>20}  {told}  {results.n_parameters(fit):,} parameters  {outcome.seconds:.2f} s"
                )
            bar.update()

        run_fits(fits, split, engine, settings.jobs, done)
    return outcomes


def _write_best(
    results: SearchResults, paths: OutputPaths, engine: Engine, table: Table, split: Split, scaling: Scaling
) -> list[tuple[str, Path]]:
    """Save the best model and draw its latent plane, as far as they are wanted."""
    settings = results.settings
    plane = settings.latent_dim == 2
    if not settings.save_models and not plane:
        return []
    from autoenc.checkpoint import fitted_model, save_model

    fit, outcome = results.ranked[0]
    # Outcomes keep no parameters; a fit trained again comes to the same ones, bit for bit.
    state = engine.fit(split, fit).state
    info = {
        "final_test_loss": outcome.final_test_loss,
        "seed": fit.seed,
        "n_train": results.n_train,
        "data_fingerprint": results.fingerprint,
    }
    model = fitted_model(state, fit.recipe, table.columns, scaling, info)
    written = []
    if plane:
        written.append(("latent plane", write_latent_plane(results, paths, model, table, split)))
    if settings.save_models:
        save_model(paths.best_model, model)
        written.append(("best model", paths.best_model))
    return written


def _summary(results: SearchResults, written: list[tuple[str, Path]]) -> str:
    fit, outcome = results.ranked[0]
    lines = [
        "",
        f"best stack    {format_architecture(fit.architecture)}",
        f"test loss     {outcome.final_test_loss:.6f}",
        f"parameters    {results.n_parameters(fit):,}",
    ]
    if results.failed:
        lines.append(f"failed        {len(results.failed)} of {results.n_configurations}")
    lines += ["", *(f"{word:<13} {path}" for word, path in written)]
    return "\n".join(lines)
