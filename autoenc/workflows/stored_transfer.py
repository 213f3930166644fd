"""Going on with a transfer-aware search by its file."""

from __future__ import annotations

from pathlib import Path

from autoenc.errors import InputError
from autoenc.settings import TransferSettings, require_settings
from autoenc.two_stage.record import read_study, refuse_ended_tables, stored_settings

__all__ = ["with_stored"]


def with_stored(settings: TransferSettings, path: Path) -> TransferSettings:
    """Return the options that the study of a file was begun with, and over them those that were given now.

    Raises:
        InputError: If it is no such study, or an option contradicts where it is.
    """
    given = {name: getattr(settings, name) for name in settings.model_fields_set}
    study, whole = read_study(path), path.absolute()
    if path.name != "study.db":
        raise InputError(f"--resume {path}: must be called study.db, in a folder of its own")
    above = path.parent.parent if path.parent.name else whole.parent.parent
    folder = {"output_dir": str(above), "name": whole.parent.name}
    asked = {**folder, **{name: given[name] for name in folder if given.get(name)}}
    if Path(asked["output_dir"], asked["name"]).resolve() != whole.parent.resolve():
        named = " and ".join(f"--{name}" for name in folder if name in given)
        raise InputError(f"--resume {path}: goes on in the folder of the file; leave out {named}")
    stored = stored_settings(study, path)
    refuse_ended_tables(stored, given, f"--resume {path}")
    return require_settings(TransferSettings, {**stored, **given, **folder})
