from __future__ import annotations

import optuna
import pytest
import sqlalchemy
from optuna.storages import InMemoryStorage
from postgres_server import postgres
from record_suite import DurableRecordSuite, RecordSuite

from autoenc.record.storage import journal_path, open_storage


class TestMemory(RecordSuite):
    @pytest.fixture
    def reopen(self):
        storage = InMemoryStorage()
        return lambda: storage


class TestJournal(DurableRecordSuite):
    @pytest.fixture
    def place(self, tmp_path):
        return journal_path(tmp_path)

    @pytest.fixture
    def damage(self, place):
        def changed(old, new):
            before, found, after = place.read_text().partition(old)
            place.write_text(before + found.replace(old, new) + after)
            return f"line {before.count(chr(10)) + 1}"

        return changed


class DatabaseSuite(DurableRecordSuite):
    @pytest.fixture
    def damage(self, place):
        def changed(old, new):
            engine = sqlalchemy.create_engine(place)
            with engine.begin() as connection:
                query = "UPDATE trial_user_attributes SET value_json = REPLACE(value_json, :old, :new)"
                connection.execute(sqlalchemy.text(query), {"old": old, "new": new})
            engine.dispose()
            return "trial 1"

        return changed


class TestSqlite(DatabaseSuite):
    @pytest.fixture
    def place(self, tmp_path):
        return f"sqlite:///{tmp_path}/study.db"


@pytest.fixture(scope="module")
def server():
    with postgres() as url:
        yield url


class TestPostgres(DatabaseSuite):
    @pytest.fixture
    def place(self, server):
        yield server
        storage = open_storage(server)
        for study in storage.get_all_studies():
            optuna.delete_study(study_name=study.study_name, storage=storage)
