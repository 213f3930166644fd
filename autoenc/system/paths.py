"""The names of all output files, and how they are written: whole or not at all."""

from __future__ import annotations

import contextlib
import io
import os
import stat
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import IO

from autoenc.errors import InputError

__all__ = [
    "Content",
    "OutputPaths",
    "content_writer",
    "keep_aside",
    "make_folder",
    "check_folder",
    "refuse_own_table",
    "remove_leftovers",
    "remove_unfinished",
    "utf8",
    "write_atomically",
    "write_to_stream",
]


Content = bytes | Callable[[IO[bytes]], object]
"""What a file will hold: bytes, or a function that writes them into a binary file."""

_SEARCH_FILES = (
    "hyperparam_results_latent*.json", "hyperparam_results_latent*.csv", "hyperparam_search_latent*.png",
    "config_performance_latent*.png", "factor_effects_latent*.png", "latent_space_2d_best_config.png",
    "best_model_latent*.pth", "best_ensemble_latent*.pth", "search_state.json", "search_results.csv",
    "search_progress.png", "runs/*.json", ".study*.holder",
)  # fmt: skip
_OTHER_FILES = (
    "best_hyperparameters.json", "optimization_results.json", "optimization_report.txt", "all_trials.csv",
    "top_20_trials.csv", "best_params.json", "figures/*.png", "resilient_search_*", "phases.json",
    "detailed_progress_analysis.png", "train_best.json", "train_best_curves.png", "analysis/*", "fine.yaml",
)  # fmt: skip
_TABLES = (
    "hyperparam_results_latent*.csv", "search_results.csv", "all_trials.csv", "top_20_trials.csv",
    "resilient_search_results.csv",
)  # fmt: skip


_TRIES = 3  # to write what others clear away meanwhile


@dataclass(frozen=True)
class OutputPaths:
    """Output files of a search with one latent size."""

    folder: Path
    latent_dim: int

    @property
    def results_json(self) -> Path:
        """All results."""
        return self.folder / f"hyperparam_results_latent{self.latent_dim}.json"

    @property
    def results_csv(self) -> Path:
        """A line per architecture."""
        return self.folder / f"hyperparam_results_latent{self.latent_dim}.csv"

    @property
    def curves_png(self) -> Path:
        """Test loss against epoch of the best architectures."""
        return self.folder / f"hyperparam_search_latent{self.latent_dim}.png"

    @property
    def complexity_png(self) -> Path:
        """Final test loss against number of parameters."""
        return self.folder / f"config_performance_latent{self.latent_dim}.png"

    @property
    def effects_png(self) -> Path:
        """What the options that were given as lists change."""
        return self.folder / f"factor_effects_latent{self.latent_dim}.png"

    @property
    def latent_png(self) -> Path:
        """The latent points of the best architecture, where the latent space is a plane."""
        return self.folder / "latent_space_2d_best_config.png"

    @property
    def best_model(self) -> Path:
        """The best model."""
        return self.folder / f"best_model_latent{self.latent_dim}.pth"

    @property
    def best_ensemble(self) -> Path:
        """The best models as one."""
        return self.folder / f"best_ensemble_latent{self.latent_dim}.pth"

    @property
    def state_json(self) -> Path:
        """Where a running search stands."""
        return self.folder / "search_state.json"

    @property
    def live_csv(self) -> Path:
        """What a running search has found, a line per architecture."""
        return self.folder / "search_results.csv"

    @property
    def progress_png(self) -> Path:
        """Loss against trial."""
        return self.folder / "search_progress.png"

    def remove_leftovers(self) -> None:
        """Remove what a killed process had begun to write; only the folder's one user may do this."""
        remove_leftovers(self.folder)


def refuse_own_table(path: str, folder: Path) -> None:
    """See that a table to learn from is none that a search would write its own over.

    Raises:
        InputError: If it is.
    """
    place = Path(path).resolve()
    if place.parent == folder.resolve() and any(fnmatch(place.name, name) for name in _TABLES):
        raise InputError(
            f"--data_path {path}: would be overwritten by the {place.name} of the search; give the table "
            "another name, or name another --output_dir"
        )


def remove_leftovers(folder: Path) -> None:
    """Remove what killed processes had begun to write of the program's files in a folder of a search."""
    remove_unfinished(folder, (*_SEARCH_FILES, *_OTHER_FILES))


def remove_unfinished(folder: Path, patterns: Sequence[str]) -> None:
    """Remove what a killed process had begun to write of such files; only their one user may do this.

    Args:
        folder: Where the files are.
        patterns: Names or patterns of them, from the folder.
    """
    for pattern in patterns:
        where, _, name = pattern.rpartition("/")
        for path in (folder / where).glob(f".{name}.*.tmp*"):
            if path.is_file():
                path.unlink(missing_ok=True)


def check_folder(folder: Path, option: str = "--output_dir") -> None:
    """See that files can be written into a folder, which is not made yet: the rest of the input may be wrong.

    Args:
        folder: The folder.
        option: The option that names it.

    Raises:
        InputError: If that is not so.
    """
    try:
        # Several processes may begin in one folder at once: what one only tries it must not remove either.
        there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        if not there.is_dir():
            file = "" if there == folder else f"{there} "
            raise InputError(f"{option} {folder}: {file}is a file, not a folder")
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise InputError(f"{option} {folder}: cannot be written: {error.strerror}") from None


def make_folder(folder: Path, option: str = "--output_dir") -> list[Path]:
    """Make a folder and those above it; returns those that were made, the innermost first.

    Raises:
        InputError: If it cannot be made; it names the option.
    """
    try:
        made = [path for path in (folder, *folder.parents) if not path.exists()]
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise InputError(f"{option} {folder}: is a file, not a folder") from None
    except OSError as error:
        raise InputError(f"{option} {folder}: cannot be made: {error.strerror}") from None
    return made


def utf8(text: str) -> bytes:
    r"""Return text as it stands in every file, whatever the locale.

    What is no text in a file's name, and no character, is written as in ``\\udcff``, which JSON reads back.
    """
    return text.encode("utf-8", "backslashreplace")


def content_writer(content: Content) -> Callable[[IO[bytes]], object]:
    """Return a function that writes the content into a binary file."""
    return content if callable(content) else lambda file: file.write(content)


def write_atomically(
    path: Path, content: Content, *, follow_link: bool = False, keep_earlier: bool = False
) -> Path | None:
    """Write a file so that a reader sees the old content or the new one, never a part.

    A device or a pipe is written to as it is; it is never replaced by a file.

    Args:
        path: The file; replaced if it exists, with the permissions that it had.
        content: What it will hold.
        follow_link: Write the file behind a symbolic link, for files that a user names. By default the link
            itself is replaced: in a folder that others can write to, a link may point anywhere.
        keep_earlier: Keep a file that is replaced under another name. There is always one under its own:
            it is moved aside when the new one is whole.

    Returns:
        What the earlier file is called now; None if none was kept.

    Raises:
        OSError: If it cannot be written; the old file is then as it was. It names ``path``.
    """
    write = content_writer(content)
    try:
        target = Path(os.path.realpath(path)) if follow_link else path
        if _is_stream(target):
            with target.open("wb") as stream:
                write_to_stream(stream, write)
            return None
        for _ in range(_TRIES - 1):
            with contextlib.suppress(_SweptError):
                return _replace(target, write, keep_earlier)
        return _replace(target, write, keep_earlier)
    except OSError as error:
        error.filename = str(path)  # and not the temporary file
        del error.filename2  # None would be shown, too
        raise


def write_to_stream(stream: IO[bytes], write: Callable[[IO[bytes]], object]) -> None:
    """Write to what cannot go back, as some content wants to while it is written."""
    content = io.BytesIO()
    write(content)
    stream.write(content.getbuffer())
    stream.flush()


def _is_stream(path: Path) -> bool:
    """Return whether there is a device, a pipe or a socket here."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode))


class _SweptError(FileNotFoundError):
    """Raised where what is being written is gone: a search that begins in the folder clears up there."""


def _replace(path: Path, write: Callable[[IO[bytes]], object], keep_earlier: bool) -> Path | None:
    _remove_abandoned(path)
    prefix = f".{path.name}.{os.getpid()}."
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=prefix, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.chmod(temporary, _mode_of(path))  # mkstemp's files are private
        except FileNotFoundError as error:
            raise _SweptError(*error.args) from None
        kept = _keep_beside(path) if keep_earlier else None
        os.replace(temporary, path)
        return kept
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _remove_abandoned(path: Path) -> None:
    """Remove what processes that are gone had begun to write of a file."""
    beginning = f".{path.name}."
    with os.scandir(path.parent) as entries:
        names = [entry.name for entry in entries if entry.name.startswith(beginning)]
    if not names:
        return
    import psutil

    for name in names:
        process = name.removeprefix(beginning).partition(".")[0]
        if name.endswith(".tmp") and process.isdecimal() and not psutil.pid_exists(int(process)):
            path.with_name(name).unlink(missing_ok=True)


def _mode_of(path: Path) -> int:
    """Return the permissions of the file that is there, or of an ordinary new one."""
    with contextlib.suppress(OSError):
        mode = path.lstat().st_mode
        if stat.S_ISREG(mode):
            return stat.S_IMODE(mode)
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask


def _keep_beside(path: Path) -> Path | None:
    """Return a second name for a file that is about to be replaced; None if there is none."""
    if not os.path.lexists(path):
        return None
    kept = _free_name(path)
    try:
        os.link(path, kept, follow_symlinks=False)
    except (OSError, NotImplementedError):  # not every file system has hard links
        path.rename(kept)
    return kept


def keep_aside(path: Path) -> Path | None:
    """Rename a file so that a fresh one can begin; returns its new name, None if there was none."""
    if not path.exists():
        return None
    kept = _free_name(path)
    path.rename(kept)
    return kept


def _free_name(path: Path) -> Path:
    """Return a name beside a file that says when it was kept, and is not taken."""
    stamp = datetime.now().strftime("%Y-%m-%dT%H-%M-%S")
    kept, n = path.with_name(f"{path.name}.{stamp}"), 1
    while os.path.lexists(kept):
        n += 1
        kept = path.with_name(f"{path.name}.{stamp}-{n}")
    return kept
