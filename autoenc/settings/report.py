"""Options of ``report``."""

from __future__ import annotations

from autoenc.settings.base import DataSettings, PathText
from autoenc.settings.commands import EncodeSettings
from autoenc.settings.options import again
from autoenc.settings.shared import FolderSettings, RecordSettings

__all__ = ["ReportSettings"]


class ReportSettings(RecordSettings, FolderSettings):
    """Options of ``report``."""

    output: PathText | None = again(
        EncodeSettings,
        "output",
        None,
        description="the HTML file; by default report.html in the folder; - for standard output",
    )
    data_path: PathText | None = again(
        DataSettings,
        "data_path",
        None,
        description="the table that was searched, where it is not where the search read it",
    )
