"""The example table, which comes with the package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["load_stains", "stains_path"]


def stains_path() -> Path:
    """Return the file of the example table, compressed CSV that every command reads.

    Example:
        >>> stains_path().name
        'stains.csv.gz'
    """
    return Path(__file__).parent / "stains.csv.gz"


def load_stains() -> pd.DataFrame:
    """Load the example table: simulated class observations in the form of COPUS.

    Returns:
        2,008 rows: 24 shares of two-minute intervals in which a behaviour was seen, from 0 to 1, and
        labels of the class, with NaN for a missing cell.

    Example:
        >>> load_stains().shape[0]
        2008
    """
    import pandas as pd

    return pd.read_csv(stains_path())
