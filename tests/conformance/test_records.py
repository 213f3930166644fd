from __future__ import annotations

import pytest
from optuna.storages import InMemoryStorage
from record_suite import RecordSuite

from autoenc.record.storage import journal_path, open_storage


class TestJournal(RecordSuite):
    @pytest.fixture
    def reopen(self, tmp_path):
        return lambda: open_storage(journal_path(tmp_path))


class TestSqlite(RecordSuite):
    @pytest.fixture
    def reopen(self, tmp_path):
        return lambda: open_storage(f"sqlite:///{tmp_path}/study.db")


class TestMemory(RecordSuite):
    @pytest.fixture
    def reopen(self):
        storage = InMemoryStorage()
        return lambda: storage
