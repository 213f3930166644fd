"""``refine``: a fine search around the best of a coarse one, as a file."""

from __future__ import annotations

import shlex

from autoenc.report.search_file import narrowed_table
from autoenc.settings import RefineSettings
from autoenc.system.outputs import summary_stream
from autoenc.system.text import say
from autoenc.workflows.refine import write_search_file

__all__ = ["refine"]


def refine(settings: RefineSettings) -> int:
    """Write the file, and show what became of each range.

    Raises:
        InputError: If there is no search, too little of it is finished, or the file exists already.
    """
    narrowed, command = write_search_file(settings)
    stream = summary_stream(settings.to)
    say(*narrowed_table(narrowed), "", f"search file   {settings.to}", file=stream)
    written = shlex.quote(settings.to)
    say(f"search with   autoenc {command} --search_config {written} --output_dir ...", file=stream)
    return 0
