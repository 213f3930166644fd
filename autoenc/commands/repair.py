"""``repair``: write a damaged record anew, with all of its valid entries; the damaged one is kept."""

from __future__ import annotations

from pathlib import Path

from autoenc.record.lock import RecordLock
from autoenc.record.repair import records_of_folder, repair_file
from autoenc.settings import RepairSettings
from autoenc.system.surroundings import quiet_optuna
from autoenc.system.text import say

__all__ = ["repair"]


def repair(settings: RepairSettings) -> int:
    """Write every damaged record of a folder anew.

    What is lost of an exhaustive search is trained by the next ``search``; a lost trial of another search
    keeps its number and counts as failed, as all that came after was proposed in its presence.

    Returns:
        The exit code: 0.

    Raises:
        InputError: If there is no record, or nothing of it can be read.
    """
    place = Path(settings.folder)
    paths = [place] if place.is_file() else records_of_folder(place)
    for path in paths:
        with quiet_optuna(), RecordLock(path, advice="wait for it"):
            lines = repair_file(path)
        say(*lines)
    return 0
