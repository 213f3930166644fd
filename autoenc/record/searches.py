"""The searches of a storage, opened to be read: exhaustive, adaptive and transfer-aware ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from autoenc.errors import InputError
from autoenc.record.fits import FitRecord, records_in, searches_in
from autoenc.record.record import TRANSFER, TUNE, Record, transfer_name
from autoenc.record.storage import journal_path, open_storage

__all__ = ["Searches", "holds_transfer", "shard_records"]


class Searches(NamedTuple):
    """The searches of a storage, each sort with the last used one last.

    Attributes:
        exhaustive: Records of exhaustive searches.
        adaptive: Records of adaptive searches.
        two_stage: Records of transfer-aware searches.
    """

    exhaustive: list[FitRecord]
    adaptive: list[Record]
    two_stage: list[Record]

    @classmethod
    def read(cls, place: Path | str) -> Searches:
        """Read a journal or a storage at a URL, and leave it as it is.

        Raises:
            InputError: If it cannot be opened, or holds a record of another format.
        """
        storage = open_storage(place, read_only=True)
        return cls(searches_in(storage), Record.all_of(storage, TUNE), Record.all_of(storage, TRANSFER))

    def transfer_of(self, folder: Path) -> Record | None:
        """Return the transfer-aware search of a folder, None if it is not among them."""
        return {record.study.study_name: record for record in self.two_stage}.get(transfer_name(folder))

    @property
    def last_used(self) -> FitRecord | Record | None:
        """The exhaustive or adaptive search that was used last, None if there is none."""
        return max([*self.exhaustive, *self.adaptive], key=lambda record: record.last_used, default=None)


def holds_transfer(folder: Path, storage: str | None) -> bool:
    """Return whether the search of a folder is a transfer-aware one.

    Args:
        folder: Of the search.
        storage: URL of the record, where it is not in the folder.
    """
    if storage is None:
        return (folder / "study.db").exists() and not journal_path(folder).exists()
    return Searches.read(storage).transfer_of(folder) is not None


def shard_records(folders: Sequence[Path]) -> list[FitRecord]:
    """Return every record of an exhaustive search, whole or of a shard, in some folders.

    Raises:
        InputError: If a folder holds none.
    """
    problems: list[str] = []
    records: list[FitRecord] = []
    for folder in folders:
        journals = sorted([*folder.glob("study.journal"), *folder.glob("study.shard-*-of-*.journal")])
        here = [
            record
            for journal in journals
            for record in records_in(open_storage(journal, read_only=True))
            if record.search
        ]
        if not here:
            problems.append(f"{folder}: holds no record of a search")
        records += here
    if problems:
        raise InputError(problems)
    return records
