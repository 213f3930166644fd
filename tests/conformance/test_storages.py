"""The storages of records are storages of Optuna: its own suite for them passes."""

from __future__ import annotations

import shutil

import pytest
import sqlalchemy

from autoenc.record.database import CheckedDatabase, sqlite_url
from autoenc.record.storage import journal_path, open_storage

suites = pytest.importorskip("optuna.testing.pytest_storages", reason="this Optuna brings no suite")


class TestJournal(suites.StorageTestCase):
    @pytest.fixture
    def storage(self, tmp_path):
        return open_storage(journal_path(tmp_path))


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    path = tmp_path_factory.mktemp("database") / "empty.db"
    CheckedDatabase(sqlite_url(path), str(path)).close()
    return path


@pytest.mark.slow
class TestSqlite(suites.StorageTestCase):
    @pytest.fixture
    def storage(self, tmp_path, empty):
        path = tmp_path / "study.db"  # with its tables, whose making takes longer than most tests
        shutil.copyfile(empty, path)
        storage = CheckedDatabase(sqlite_url(path), str(path))
        sqlalchemy.event.listen(
            storage._backend.engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous = OFF")
        )
        yield storage
        storage.close()
