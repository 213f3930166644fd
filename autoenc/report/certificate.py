"""The result of merging shards: a certificate that nothing is missing or doubled."""

from __future__ import annotations

from autoenc.report import SearchResults
from autoenc.system.text import counted

__all__ = ["certificate"]


def certificate(results: SearchResults, n_records: int, n_twice: int) -> list[str]:
    """Return how much of the grid is there, and what is not.

    Args:
        results: Of the joined record.
        n_records: How many records it was joined from.
        n_twice: Fits that stood in more than one of them.
    """
    n_done = len(results.trained) - len(results.missing)
    fits = [fit for trial in results.trained for fit in trial.fits]
    n_fits = sum(fit in results.outcomes for fit in fits)
    of_fits = f" ({n_fits:,} of {len(fits):,} fits)" if len(fits) > len(results.trained) else ""
    lines = [
        f"latent size {results.settings.latent_size}: {n_done:,} of "
        f"{counted(len(results.trained), 'stack')}{of_fits} from {counted(n_records, 'record')}",
        "none twice" if not n_twice else f"{n_twice:,} in more than one record, counted once",
    ]
    if results.failed:
        lines.append(f"{len(results.failed):,} of them failed")
    if results.missing:
        names = [trial.name for trial in results.missing]
        lines.append(f"MISSING {len(names):,}: {'; '.join(names[:20])}{' ...' if len(names) > 20 else ''}")
    else:
        lines.append("complete")
    return lines
