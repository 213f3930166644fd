"""Records with damage of any kind: it is named, what holds stands, and no answer changes in silence."""

from __future__ import annotations

import errno
import logging
import random
import re
import shutil
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from filelock import FileLock
from sqlalchemy.exc import OperationalError

import autoenc
from autoenc.record import database
from autoenc.record.fits import records_in
from autoenc.record.lock import RecordLock
from autoenc.record.record import Record, begun_study
from autoenc.record.storage import open_storage
from autoenc.report import transfer_reports as reports
from autoenc.report.tuning_write import TuneReports
from autoenc.workflows import analyze as analyze_command
from autoenc.workflows import transfer as transfer_workflow

pytestmark = pytest.mark.slow

ASSETS = Path(__file__).parents[1] / "assets"
SEARCH = (
    "search", "--data_path", ASSETS / "rows.csv", "--latent_dim", 2, "--hidden_dims_search", "2,4",
    "--max_layers", 2, "--epochs", 2, "--quiet",
)  # fmt: skip
TUNE = (
    "tune", "--data_path", ASSETS / "rows.csv", "--strategy", "tpe", "--n_trials", 4, "--hidden_size_range",
    "2,8", "--num_layers_range", "1,2", "--epochs", 2, "--jobs", 1, "--latent_dim", 2, "--quiet",
)  # fmt: skip
TRANSFER = (
    "transfer", "--data_path", ASSETS / "labelled-rows.csv", "--name", "tr", "--n_trials", 3,
    "--regression_target", "score", "--classification_target", "", "--n_cv_folds", 2, "--epochs", 1,
    "--stage2_epochs", 1, "--latent_dim_options", "2,3", "--hidden_dims_options", "4", "--quiet",
)  # fmt: skip


@pytest.fixture(scope="module")
def records(call, tmp_path_factory) -> Path:
    """A folder with an exhaustive, an adaptive and a transfer-aware search."""
    folder = tmp_path_factory.mktemp("records")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transfer_workflow, "write_pictures", lambda study, folder: [])
        patch.setattr(transfer_workflow, "estimate_trial_s", lambda *given: 1.0)
        assert call(*SEARCH, "--output_dir", folder / "search").code == 0
        assert (
            call(*SEARCH, "--output_dir", folder / "base", "--storage", f"sqlite:///{folder}/base.db").code
            == 0
        )
        assert call(*TUNE, "--output_dir", folder / "tune").code == 0
        assert call(*TRANSFER, "--output_dir", folder).code == 0
    return folder


@pytest.fixture
def shown(call, monkeypatch):
    """What ``analyze`` says of a folder, which takes no time to draw."""
    monkeypatch.setattr(analyze_command, "write_reports", lambda *given: [])
    monkeypatch.setattr(analyze_command.LiveView, "conclude", lambda *given: None)
    monkeypatch.setattr(TuneReports, "write", lambda *given, **more: [])
    monkeypatch.setattr(reports, "write_tables", lambda *given: [])
    monkeypatch.setattr(reports, "write_pictures", lambda *given: [])
    return lambda *arguments: call("analyze", *arguments)


def copied(source: Path, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, folder / source.name)
    return folder / source.name


def fit_lines(lines: list[bytes]) -> list[int]:
    return [i for i, line in enumerate(lines) if b'"identity":"' in line]


def with_other_loss(line: bytes) -> bytes:
    """A line whose loss is a tenth of what it was."""
    return re.sub(rb'"value":0\.', b'"value":0.0', line, count=1)


def mutated(rng: random.Random, content: bytes) -> bytes:
    """One mutation of a journal, of any kind."""
    lines = content.splitlines(keepends=True)
    i, j = rng.randrange(len(lines) - 1), rng.randrange(len(lines) - 1)
    kind = rng.randrange(10)
    if kind == 0:  # a bit
        at = rng.randrange(len(content))
        return content[:at] + bytes([content[at] ^ (1 << rng.randrange(8))]) + content[at + 1 :]
    if kind in (1, 2):  # a digit
        at = rng.choice([m.start() for m in re.finditer(rb"\d", content)])
        return content[:at] + str((content[at] - 48 + rng.randrange(1, 10)) % 10).encode() + content[at + 1 :]
    if kind == 3:
        del lines[i]
    elif kind == 4:
        lines.insert(j, lines[i])
    elif kind == 5:
        lines[i], lines[j] = lines[j], lines[i]
    elif kind == 6:
        lines[i] = rng.choice([b"null\n", b"[]\n", b"7\n", b"\n", b"{}\n", b"\0" * 40 + b"\n", b"\xff\n"])
    elif kind == 7:  # a name
        at = rng.choice(list(re.finditer(rb'"([a-z_]+)":', content)))
        return content[: at.start(1)] + b"renamed" + content[at.end(1) :]
    elif kind == 8:  # a word within a distribution, or anywhere
        at = rng.choice(
            list(re.finditer(rb"Distribution|attributes|low|choices|true|null|COMPLETE", content))
        )
        return content[: at.start()] + b"x" + content[at.end() :]
    else:  # a part of a line
        cut = rng.randrange(len(lines[i]))
        lines[i] = lines[i][:cut] + b"\n"
    return b"".join(lines)


@pytest.mark.parametrize("name", ["search", "tune"])
def test_no_mutation_of_a_journal_changes_an_answer(name, records, shown, tmp_path) -> None:
    rng = random.Random(name)
    source = records / name / "study.journal"
    path = copied(source, tmp_path / "record")
    right = shown(path.parent)
    assert (right.code, right.err) == (0, "")
    n_named = 0
    for n in range(200):
        content = mutated(rng, source.read_bytes())
        path.write_bytes(content)
        answer = shown(path.parent)
        assert "Traceback" not in answer.err
        if answer.out != right.out or answer.code:
            assert "damaged" in answer.err or "is not a record" in answer.err, (n, answer)
            n_named += 1
    assert n_named > 60


def values_of(database: Path) -> list[tuple[str, str, int, object]]:
    """Every cell of the tables that hold trials and notes."""
    with closing(sqlite3.connect(database)) as connection:
        tables = [
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            if name.startswith(("trial", "stud")) and "heartbeat" not in name
        ]
        return [
            (table, column, row, value)
            for table in tables
            for _, column, *_ in connection.execute(f"PRAGMA table_info({table})").fetchall()
            for row, value in connection.execute(f'SELECT rowid, "{column}" FROM {table}').fetchall()
        ]


def other(rng: random.Random, value: object) -> object:
    """Another value in the place of one."""
    if isinstance(value, str) and value:
        at = rng.randrange(len(value))
        digits = [m.start() for m in re.finditer(r"\d", value)]
        if digits and rng.random() < 0.6:
            at = rng.choice(digits)
            return value[:at] + str((int(value[at]) + 1) % 10) + value[at + 1 :]
        return rng.choice([value[:at] + "x" + value[at + 1 :], value[:at], "null", "{", None])
    if isinstance(value, int | float):
        return rng.choice([value + 1, value * 1.5, -value, None, "x"])
    return "x"


@pytest.mark.parametrize("name", ["tr/study.db", "base.db"])
def test_no_mutation_of_a_database_changes_an_answer(name, records, shown, tmp_path) -> None:
    rng = random.Random(name)
    source = records / name
    path = copied(source, tmp_path / "record")
    where = [path.parent] if name == "tr/study.db" else [path.parent, "--storage", f"sqlite:///{path}"]
    right = shown(*where)
    assert (right.code, right.err) == (0, "")
    cells = [cell for cell in values_of(source) if not cell[1].startswith("datetime")]
    n_named = 0
    for n in range(130):
        shutil.copyfile(source, path)
        if n % 5:
            table, column, row, value = rng.choice(cells)
            with closing(sqlite3.connect(path)) as connection:
                connection.execute("PRAGMA ignore_check_constraints = 1")
                try:
                    connection.execute(
                        f'UPDATE OR IGNORE {table} SET "{column}" = ? WHERE rowid = ?',
                        (other(rng, value), row),
                    )
                    connection.commit()
                except sqlite3.IntegrityError:
                    continue
        else:
            content = bytearray(path.read_bytes())
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
            path.write_bytes(content)
        answer = shown(*where)
        assert "Traceback" not in answer.err
        if answer.out != right.out or answer.code:
            named = "damaged" in answer.err or "is not" in answer.err or "holds no search" in answer.err
            assert named, (n, table, column, row, value, answer)
            n_named += 1
    assert n_named > 30


def test_a_changed_loss_is_named_and_trained_again(records, call, shown, tmp_path) -> None:
    path = copied(records / "search" / "study.journal", tmp_path / "study")
    right, lines = shown(path.parent).out, path.read_bytes().splitlines(keepends=True)
    at = fit_lines(lines)[1]
    lines[at] = with_other_loss(lines[at])
    path.write_bytes(b"".join(lines))
    answer = shown(path.parent)
    assert f"warning: {path}: line {at + 1} is damaged: left out" in answer.err
    assert "4 of 5 stacks trained, 0 failed, 1 remain" in answer.out
    again = call(*SEARCH, "--output_dir", path.parent)
    assert again.code == 0
    assert f"line {at + 1} is damaged" in again.err
    assert len(fit_lines(path.read_bytes().splitlines())) == 6
    assert losses(shown(path.parent).out) == losses(right)


def losses(text: str) -> list[str]:
    return re.findall(r"^ +[\d-]+ +(0\.\d+) ", text, flags=re.M)


def test_repair_keeps_what_holds_and_search_trains_the_rest(
    records, call, shown, tmp_path, caplog, monkeypatch
) -> None:
    monkeypatch.setattr(logging.getLogger("optuna"), "handlers", [caplog.handler])
    path = copied(records / "search" / "study.journal", tmp_path / "study")
    right, lines = shown(path.parent).out, path.read_bytes().splitlines(keepends=True)
    first, *_, last = fit_lines(lines)
    lines[first], lines[last] = b"null\n", with_other_loss(lines[last])
    path.write_bytes(damaged := b"".join(lines) + b"\0" * 100)
    answer = call("repair", path.parent)
    assert answer.code == 0
    assert "3 trials are kept, 2 are lost" in answer.out
    assert not caplog.records  # Optuna tells of every study that it begins
    (kept,) = path.parent.glob("study.journal.2*")
    assert kept.read_bytes() == damaged
    assert "is intact: 3 trials" in call("repair", path).out
    assert call(*SEARCH, "--output_dir", path.parent) == (0, "", "")
    assert losses(shown(path.parent).out) == losses(right)


def test_a_damaged_record_of_another_kind_is_repaired(records, call, shown, tmp_path) -> None:
    path = copied(records / "tune" / "study.journal", tmp_path / "tune")
    content = path.read_bytes()
    at = content.rindex(b'"param_value_internal":0.0') + 24
    path.write_bytes(content[:at] + b"1" + content[at + 1 :])
    assert "is damaged" in shown(path.parent).err
    assert "1 are lost" in call("repair", path.parent).out
    repaired = shown(path.parent)
    assert repaired.err == ""
    assert "4 of 4 trials, 1 without a result" in repaired.out
    path = copied(records / "tr" / "study.db", tmp_path / "tr")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE trial_values SET value = value / 10 WHERE trial_id = 2")
        connection.commit()
    answer = shown(path.parent)
    assert f"{path}: trial 1 of study transfer (its digest does not fit) is damaged" in answer.err
    assert "2 trials are kept, 1 are lost" in call("repair", path.parent).out
    assert shown(path.parent).err == ""


LEAF = b"\r"
"""How a page with rows begins; those above it hold what is left of rows that were there."""


def with_pages(content: bytes, beginning: bytes, marks: Sequence[bytes]) -> bytes:
    """A database whose pages with such a beginning are damaged where any of some words is in them."""
    pages = [content[at : at + 4096] for at in range(0, len(content), 4096)]
    return b"".join(
        page[:16] + b"\xff" * 4080
        if page.startswith(beginning) and any(mark in page for mark in marks) else page
        for page in pages
    )  # fmt: skip


def identities(database: Path) -> list[bytes]:
    with closing(sqlite3.connect(database)) as connection:
        query = "SELECT value_json FROM trial_user_attributes WHERE key = 'identity' ORDER BY trial_id"
        return [text.encode() for (text,) in connection.execute(query)]


def test_what_can_be_read_of_a_malformed_database_is_kept(call, shown, tmp_path) -> None:
    path = tmp_path / "base.db"
    where = ["--output_dir", tmp_path / "out", "--storage", f"sqlite:///{path}"]
    search = [*SEARCH, "--hidden_dims_search", "2,3,4", "--max_layers", 3, *where]
    assert call(*search).code == 0
    path.chmod(0o640)
    right, last = shown(*where[1:]).out, identities(path)[-1]
    path.write_bytes(damaged := with_pages(path.read_bytes(), LEAF, [last]))
    refused = shown(*where[1:])
    assert refused.code == 2
    assert refused.err.endswith(f"`autoenc repair {path}` writes a record of all that can be read\n")
    answer = call("repair", path)
    assert answer.code == 0
    n_kept = int(re.search(r"(\d+) trials are kept, \d+ are lost", answer.out)[1])
    assert 0 < n_kept < 19
    (kept,) = path.parent.glob("base.db.2*")
    assert (kept.read_bytes(), path.stat().st_mode & 0o777) == (damaged, 0o640)
    assert {each.name for each in path.parent.iterdir()} <= {"base.db", kept.name, ".base.db.owner", "out"}
    assert f"{n_kept} of 19 stacks trained" in shown(*where[1:]).out
    assert call(*search).code == 0
    assert losses(shown(*where[1:]).out) == losses(right)


def test_a_database_that_is_cut_off_or_whose_index_is_damaged_is_repaired(records, call, tmp_path) -> None:
    path = copied(records / "base.db", tmp_path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE filler AS SELECT randomblob(9000) AS x")
        index = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'ix_trials_study_id'")
        ((page,),) = index
    whole = path.read_bytes()
    index_damaged = whole[: (page - 1) * 4096] + b"\xff" * 4096 + whole[page * 4096 :]
    for content in (whole[:-5000], index_damaged):
        path.write_bytes(content)
        assert "5 trials are kept, 0 are lost" in call("repair", path).out
        assert "is intact: 5 trials" in call("repair", path).out


@pytest.mark.parametrize("kind", ["header", "trials"])
def test_a_database_of_which_nothing_can_be_read_is_left_as_it_is(kind, records, call, tmp_path) -> None:
    path = copied(records / "base.db", tmp_path)
    mark = (LEAF, identities(path)) if kind == "trials" else (b"SQLite format 3", [b""])
    path.write_bytes(damaged := with_pages(path.read_bytes(), *mark))
    answer = call("repair", path)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.splitlines()[-1] == f"error: {path}: is damaged, and no trial of it can be read"
    assert path.read_bytes() == damaged
    assert {each.name for each in tmp_path.iterdir()} <= {"base.db", ".base.db.owner"}


EXCHANGED = {
    "notes": (
        "UPDATE study_user_attributes AS a SET value_json = (SELECT value_json FROM notes AS b "
        "WHERE b.key = a.key AND b.study_id = 3 - a.study_id) WHERE key = 'autoenc_search'",
        "the attribute autoenc_search of study",
    ),
    "names": (
        "UPDATE studies AS a SET study_name = (SELECT study_name FROM names AS b "
        "WHERE b.study_id = 3 - a.study_id)",
        "the attribute autoenc_context of study",
    ),
    "trials": ("UPDATE trials SET study_id = 3 - study_id WHERE number = 2", "is damaged: it is left out"),
    "moved": ("UPDATE trials SET study_id = 2 WHERE study_id = 1 AND number = 2", "(it is missing)"),
    "state": ("UPDATE trials SET state = 'WAITING' WHERE trial_id = 3", "(it ended, and is called waiting)"),
    "number": ("UPDATE trials SET number = 4 WHERE trial_id = 3", "trial 2 of study"),
}  # fmt: skip


@pytest.fixture(scope="module")
def two_searches(records, call, tmp_path_factory) -> Path:
    path = copied(records / "base.db", tmp_path_factory.mktemp("two"))
    assert call(*SEARCH, "--seed", 7, "--output_dir", path.parent, "--storage", f"sqlite:///{path}").code == 0
    return path


@pytest.mark.parametrize("what", EXCHANGED)
def test_what_is_moved_between_studies_of_a_database_is_named(
    what, two_searches, call, shown, tmp_path
) -> None:
    path, (query, named) = copied(two_searches, tmp_path), EXCHANGED[what]
    where = ["--storage", f"sqlite:///{path}"]
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP INDEX ix_studies_study_name")
        connection.execute("CREATE TABLE notes AS SELECT * FROM study_user_attributes")
        connection.execute("CREATE TABLE names AS SELECT * FROM studies")
        connection.execute(query)
        connection.execute("CREATE UNIQUE INDEX ix_studies_study_name ON studies (study_name)")
        connection.commit()
    answers = [shown(tmp_path, *where)]
    for seed in (42, 7):
        answers.append(call(*SEARCH, "--seed", seed, "--output_dir", tmp_path / "out", *where))
    # Where no search says any more what it was, there is nothing to show; to search again mends it.
    nothing_to_show = what in ("notes", "names")
    assert [answer.code for answer in answers] == [2 if nothing_to_show else 0, 0, 0]
    assert named in "".join(answer.err for answer in answers)
    right = shown(two_searches.parent, "--storage", f"sqlite:///{two_searches}")
    assert losses(shown(tmp_path, *where).out) == losses(right.out)


def test_a_study_whose_row_is_gone_is_named(two_searches, call, shown, tmp_path) -> None:
    path = copied(two_searches, tmp_path)
    where = ["--storage", f"sqlite:///{path}"]
    with closing(sqlite3.connect(path)) as connection:
        ((study,),) = connection.execute("SELECT study_id FROM studies LIMIT 1")
        ((n_trials,),) = connection.execute("SELECT COUNT(*) FROM trials WHERE study_id = ?", (study,))
        connection.execute("DELETE FROM studies WHERE study_id = ?", (study,))
        connection.commit()
    named = f"study {study}, of {n_trials} trials (its name is gone) is damaged: it is left out"
    assert named in shown(tmp_path, *where).err
    for seed in (42, 7):  # what was lost is trained again
        assert call(*SEARCH, "--seed", seed, "--output_dir", tmp_path / "out", *where).code == 0
    right = shown(two_searches.parent, "--storage", f"sqlite:///{two_searches}")
    assert losses(shown(tmp_path, *where).out) == losses(right.out)


@pytest.mark.parametrize("kind", ["journal", "database"])
def test_a_changed_parameter_of_a_trial_in_training_is_named(kind, tmp_path, capsys) -> None:
    path = tmp_path / ("study.journal" if kind == "journal" else "study.db")
    place = path if kind == "journal" else f"sqlite:///{path}"
    record = Record(begun_study(open_storage(place), "s"))
    for value in (0.25, 0.75):
        record.study.enqueue_trial({"x": value})
        trial = record.begin()
        trial.suggest_float("x", 0, 1)
        record.seal(trial)
    if kind == "journal":
        drawn = b'"param_value_internal":0.'
        path.write_bytes(path.read_bytes().replace(drawn + b"75", drawn + b"95"))
    else:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("UPDATE trial_params SET param_value = 0.95 WHERE param_value = 0.75")
            connection.commit()
    again = Record(begun_study(open_storage(place), "s"))
    assert [trial.number for trial in again.left()] == [0]
    assert "trial 1" in (told := capsys.readouterr().err)
    assert "its parameters are not those that were drawn" in told


def test_lines_in_another_order_mean_the_same(records, shown, tmp_path) -> None:
    source = records / "tune" / "study.journal"
    path = copied(source, tmp_path / "study")
    right, lines = shown(path.parent), source.read_bytes().splitlines(keepends=True)
    lines[9], lines[-3] = lines[-3], lines[9]
    for content in (
        b"".join([*lines, *lines[4:8]]), source.read_bytes().replace(b"\n", b"\r\n"),
        source.read_bytes() + b"\0" * 77, source.read_bytes() + b'{"op_code":4,"wor',
    ):  # fmt: skip
        path.write_bytes(content)
        assert shown(path.parent) == right


def test_a_disk_that_is_full_while_a_database_is_made_is_told(tmp_path, monkeypatch) -> None:
    def full(*given: object) -> None:
        raise OperationalError("CREATE TABLE", {}, sqlite3.OperationalError("database or disk is full"))

    monkeypatch.setattr(database.Database, "__init__", full)
    with pytest.raises(OSError, match="No space left") as raised:
        open_storage(f"sqlite:///{tmp_path}/study.db")
    assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, f"{tmp_path}/study.db")


def test_commands_that_read_make_no_database(call, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "empty.db").touch()
    for name in ("nope.db", "empty.db"):
        for command in (
            ["analyze", "out"], ["train-best", "--from", "out"], ["pivot", "out"],
            ["refine", "--from", "out", "--to", "x.yaml"],
        ):  # fmt: skip
            answer = call(*command, "--storage", f"sqlite:///{name}")
            assert answer.code == 2, command
            assert len(answer.err.splitlines()) == 1
    assert not (tmp_path / "nope.db").exists()
    assert not (tmp_path / "empty.db").stat().st_size


def test_a_shard_keeps_a_journal(call, tmp_path) -> None:
    url = f"sqlite:///{tmp_path}/study.db"
    answer = call(*SEARCH, "--output_dir", tmp_path, "--storage", url, "--shard", "0/2")
    assert answer.code == 2
    assert "--storage does not go with --shard" in answer.err
    assert not (tmp_path / "study.db").exists()


def test_the_latest_search_follows_from_the_record(records, call, shown, tmp_path, monkeypatch) -> None:
    import autoenc.record.record as module

    path = copied(records / "search" / "study.journal", tmp_path / "study")

    class Earlier(module.datetime):
        @classmethod
        def now(cls, zone=None):
            return super().now(zone).replace(year=2001)

    monkeypatch.setattr(module, "datetime", Earlier)
    assert call(*SEARCH, "--seed", 7, "--output_dir", path.parent).code == 0
    found = records_in(open_storage(path, read_only=True))
    last = max(found, key=lambda record: record.last_used)
    assert last.search["settings"]["seed"] == 7
    assert last.last_used[1] < "2002"


def test_a_reader_of_a_database_does_not_end_a_search(call, tmp_path) -> None:
    url, out = f"sqlite:///{tmp_path}/study.db", ("--output_dir", tmp_path / "out")
    assert call(*SEARCH, *out, "--storage", url).code == 0
    with closing(
        sqlite3.connect(tmp_path / "study.db", check_same_thread=False, isolation_level=None)
    ) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM trials").fetchall()
        timer = threading.Timer(6, reader.execute, ["COMMIT"])
        timer.start()
        assert call(*SEARCH, *out, "--storage", url, "--seed", 7) == (0, "", "")
        timer.join()


def test_a_command_that_looks_keeps_no_search_from_starting(tmp_path) -> None:
    journal = tmp_path / "study.journal"
    looking = FileLock(tmp_path / ".study.journal.owner", thread_local=False)
    looking.acquire()
    timer = threading.Timer(0.3, looking.release)
    timer.start()
    with RecordLock(journal):
        pass
    timer.join()


@pytest.mark.parametrize("place", [0, -1])
def test_a_halving_search_that_lost_a_fit_is_shown_with_its_pictures(place, call, tmp_path) -> None:
    assert call(*SEARCH, "--strategy", "halving", "--output_dir", tmp_path).code == 0
    path = tmp_path / "study.journal"
    lines = path.read_bytes().splitlines(keepends=True)
    lost = fit_lines(lines)[place]
    path.write_bytes(b"".join(line for i, line in enumerate(lines) if i != lost))
    answer = call("analyze", tmp_path)
    assert answer.code == 0, answer.err
    board = autoenc.load_results(tmp_path).leaderboard
    assert bool(len(board)) == (place == 0)  # what reached the last rung alone was lost, or others are there
    assert board["loss"].is_monotonic_increasing


def test_a_halving_search_that_lost_a_fit_of_its_first_rung_is_shown(call, shown, tmp_path) -> None:
    assert call(*SEARCH, "--strategy", "halving", "--output_dir", tmp_path).code == 0
    path = tmp_path / "study.journal"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(line for i, line in enumerate(lines) if i != fit_lines(lines)[0]))
    answer = shown(tmp_path)
    assert answer.code == 0
    assert "not at its end" in answer.out
    assert "1 remain" in answer.out


def test_what_is_no_journal_is_called_so_by_every_reader(call, shown, tmp_path) -> None:
    (tmp_path / "study.journal").write_bytes(b"\x80\x04 no line of a record")
    for answer in (shown(tmp_path), call("repair", tmp_path), call("train-best", "--from", tmp_path)):
        assert answer.code == 2
        assert f"{tmp_path / 'study.journal'}: is not a record" in answer.err
    (tmp_path / "study.journal").write_bytes(b'{"op_c')  # somebody is about to write the first line
    assert "holds no search yet" in shown(tmp_path).err


def test_a_file_that_is_no_database_is_named_once(shown, tmp_path) -> None:
    path = tmp_path / "study.db"
    path.write_bytes(b"no database")
    assert shown(tmp_path).err == f"error: {path}: is not an SQLite file\n"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("DELETE FROM study_user_attributes WHERE key = 'autoenc_search'", "attribute autoenc_search"),
        ("UPDATE study_user_attributes SET study_id = NULL WHERE key = 'autoenc_context'", "1 rows belong"),
        ("UPDATE study_user_attributes SET study_id = 99 WHERE key = 'autoenc_context'", "1 rows belong"),
        ("UPDATE trials SET study_id = NULL WHERE number = 1", "rows belong to (it is gone)"),
        ("DELETE FROM trials WHERE number = (SELECT max(number) FROM trials)", "rows belong to (it is gone)"),
        ("UPDATE studies SET study_name = x'00ff'", "is damaged"),
    ],
)
def test_what_a_row_of_a_database_belonged_to_is_missed(records, shown, tmp_path, change, told) -> None:
    path = copied(records / "base.db", tmp_path)
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute(change).rowcount == 1
    answer = shown(records / "base", "--storage", f"sqlite:///{path}")
    assert told in answer.err


def test_a_database_of_an_adaptive_search_is_whole(call, shown, tmp_path) -> None:
    url, out = f"sqlite:///{tmp_path}/tune.db", tmp_path / "out"
    assert call(*TUNE, "--n_trials", 2, "--output_dir", out, "--storage", url).code == 0
    assert (shown(out, "--storage", url).err, call("repair", tmp_path / "tune.db").code) == ("", 0)
