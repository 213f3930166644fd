"""Passwords of URLs: whatever is shown or stored holds none of them."""

from __future__ import annotations

import gc
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy
from postgres_server import postgres

from autoenc import HyperparameterOptimizer
from autoenc.errors import InputError
from autoenc.record.lock import RecordLock
from autoenc.record.storage import open_storage
from autoenc.settings import SearchSettings, require_settings
from autoenc.system.secrets import is_masked, masked, masked_error, masked_url

SECRET = "hunter2-geheim"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:{}@host/db", "postgresql://me:***@host/db"),
        ("postgresql+psycopg://me:{}%40%2F@[::1]:5432/db", "postgresql+psycopg://me:***@[::1]:5432/db"),
        ("mysql://me:a@{}:/?#@host:3306/db?charset=utf8", "mysql://me:***@host:3306/db?charset=utf8"),
        ("postgresql://me:with a space {}@host/db", "postgresql://me:***@host/db"),
        ("redis://:{}@host", "redis://:***@host"),
        ("postgresql:///db?user=me&password={}", "postgresql:///db?user=me&password=***"),
        ("postgresql://h/d?sslmode=require&sslpassword={}@x", "postgresql://h/d?sslmode=require&sslpassword=***"),
        ("https://host/rows.csv?access_token={}&page=2", "https://host/rows.csv?access_token=***&page=2"),
        ("https://host/rows.csv?X-Amz-Signature={}", "https://host/rows.csv?X-Amz-Signature=***"),
        ("mssql://h/d?odbc_connect=UID%3Dme%3BPWD%3D{}", "mssql://h/d?odbc_connect=***"),
        ("--storage=postgresql://me:{}@host/db", "--storage=postgresql://me:***@host/db"),
    ],
)  # fmt: skip
def test_a_url_is_shown_without_its_password(url, shown):
    url = url.format(SECRET)
    assert masked_url(url) == shown == masked_url(shown)
    assert is_masked(shown)
    assert SECRET not in masked(f"cannot open {url!r} twice: {url}")
    assert str(InputError(f"--storage {url}: no")) == f"--storage {shown}: no" or "?" in url
    assert SECRET not in repr(require_settings(SearchSettings, {"storage": url}))


@pytest.mark.parametrize(
    "text",
    [
        "sqlite:///study.db", "sqlite:////home/a@b:c/study.db", "tcp://host:8786", "/data/a:b@c.csv",
        "tcp://host:8786: no worker answers; write to me@host", "postgresql://me@host:5432/db", "password=x",
    ],
)  # fmt: skip
def test_what_holds_no_password_stays_as_it_is(text):
    assert masked(text) == text
    assert not is_masked(text)


def test_words_of_a_driver_are_masked_though_it_decodes_and_cuts_them():
    url = f"postgresql://me:{SECRET}%40x:tail-of-it@host:port/db"
    for text in (f"invalid port {SECRET}@x", f"could not parse {url}", "no number: 'tail-of-it'"):
        shown = masked_error(ValueError(text), url)
        assert SECRET not in shown
        assert "tail-of-it" not in shown


def test_the_identity_of_options_does_not_depend_on_the_password():
    one, other = (
        require_settings(SearchSettings, {"storage": f"postgresql://me:{password}@host/db"})
        for password in ("first", "second")
    )
    assert one.storage != other.storage
    assert one.model_dump(mode="json") == other.model_dump(mode="json")


@pytest.mark.parametrize("url", ["postgresql://me:***@host/db", "postgresql:///db?password=***"])
def test_a_masked_url_is_refused_and_says_what_is_missing(url):
    with pytest.raises(InputError, match=r"the password is masked; give it again, .* \(PGPASSWORD\)"):
        open_storage(url)


@pytest.mark.parametrize(
    "url", [f"postgresql://me:{SECRET}@127.0.0.1:1/db", f"nosuchdatabase://me:{SECRET}@host/db",
            f"postgresql://me:{SECRET}:{SECRET}@host:nope/db", f"postgresql:/me:{SECRET}@host/db",
            f"me:{SECRET}@host/db", f"//me:{SECRET}@host/db", f"postgresql:me:{SECRET}@host",
            f"postgresql://127.0.0.1:1/db?options=-c%20password%3D{SECRET}"],
)  # fmt: skip
def test_a_storage_that_cannot_be_opened_is_told_without_its_password(call, url, table_csv, tmp_path):
    for command in (("analyze", tmp_path), ("pivot", tmp_path, "--rows", "a", "--columns", "b"),
                    ("search", "--data_path", table_csv, "--output_dir", tmp_path / "out")):  # fmt: skip
        answer = call(*command, "--storage", url)
        assert answer.code == 2
        assert "cannot be opened" in answer.err
        assert SECRET not in answer.err + answer.out
    optimizer = HyperparameterOptimizer(_Net, {"learning_rate": (1e-3, 1e-1)}, storage=url)
    with pytest.raises(InputError) as caught:
        optimizer.optimize([[1.0], [2.0]], [[3.0]], n_trials=1)
    assert SECRET not in str(caught.value)


def _Net():
    import torch

    return torch.nn.Linear(1, 1)


def files_with_the_secret(folder: Path) -> list[str]:
    marks = [SECRET.encode(), SECRET.replace("-", "%2D").encode()]
    return [
        str(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and any(mark in path.read_bytes() for mark in marks)
    ]


def everything(call, url: str, table: Path, folder: Path) -> str:
    """Run whatever takes a storage; what all commands said."""
    out = folder / "out"
    small = ("--data_path", table, "--output_dir", out, "--epochs", 2, "--latent_dim", 2, "--storage", url)
    grid = (*small, "--hidden_dims_search", "4,8", "--max_layers", 1)
    tuned = (*small, "--n_trials", 3, "--hidden_size_range", "4,8", "--num_layers_range", "1,2", "--jobs", 1)
    config = folder / "config.yaml"
    config.write_text(f"storage: '{url}'\n")
    answers = [
        call(*command)
        for command in (
            ("search", *grid), ("search", *grid, "--dry_run"), ("tune", *tuned),
            ("analyze", out, "--storage", url),
            ("pivot", out, "--rows", "num_layers", "--columns", "dropout", "--storage", url),
            ("refine", "--from", out, "--to", folder / "fine.yaml", "--storage", url),
            ("train-best", "--from", out, "--epochs", 2, "--output_dir", out, "--storage", url),
            ("runs", out), ("config", "show", "search", "--config", config), ("compare", out),
            ("search", *grid, "--storag", url), ("tune", *tuned, "--pruner", url),
        )
    ]  # fmt: skip
    config.unlink()
    assert [answer.code for answer in answers[:7]] == [0] * 7
    said = "\n".join(answer.out + answer.err for answer in answers)
    assert "***" in said
    return said


@pytest.fixture
def typed(monkeypatch):
    """The words of the process, as they would be with a password among them."""

    def type_(url: str) -> None:
        monkeypatch.setattr("sys.argv", ["autoenc", "search", "--storage", url, f"--scheduler={url}"])

    return type_


def test_no_file_and_no_stream_holds_a_password(call, table_csv, tmp_path, typed):
    url = f"sqlite:///file:{tmp_path}/record.db?uri=true&password={SECRET}"
    typed(url)
    said = everything(call, url, table_csv, tmp_path)
    assert SECRET not in said
    assert files_with_the_secret(tmp_path) == []
    with RecordLock(tmp_path / "study.journal"):
        assert files_with_the_secret(tmp_path) == []
        assert "***" in (tmp_path / ".study.journal.holder").read_text()


def test_a_search_that_is_stopped_says_that_the_password_must_be_given_again(typed):
    from autoenc.commands.resume import same_command

    typed(f"postgresql://me:{SECRET}@host/db")
    command = same_command(require_settings(SearchSettings, {}))
    assert SECRET not in command
    assert "--storage 'postgresql://me:***@host/db'" in command
    assert "PGPASSWORD" in command


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_database_that_wants_a_password(call, table_csv, tmp_path, typed, monkeypatch):
    with postgres() as free:
        engine = sqlalchemy.create_engine(free)
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text(f"ALTER ROLE autoenc PASSWORD '{SECRET}'"))
        engine.dispose()
        url = free.replace("autoenc@", f"autoenc:{SECRET.replace('-', '%2D')}@")
        typed(url)
        said = everything(call, url, table_csv, tmp_path)
        assert SECRET not in said
        assert SECRET.replace("-", "%2D") not in said
        assert files_with_the_secret(tmp_path) == []
        engine = sqlalchemy.create_engine(free)
        with closing(engine.connect()) as connection:
            tables = sqlalchemy.inspect(engine).get_table_names()
            rows = [
                [tuple(row) for row in connection.execute(sqlalchemy.text(f"SELECT * FROM {name}"))]
                for name in tables
            ]
        engine.dispose()
        assert "***" in str(rows)
        assert SECRET not in str(rows)
        assert "hunter2" not in str(rows)
        # The same search without the password, which libpq has from the environment.
        monkeypatch.setenv("PGPASSWORD", SECRET)
        out = tmp_path / "out"
        kept = ("--from", out, "--output_dir", tmp_path / "again", "--storage", free)
        assert call("train-best", *kept, "--epochs", 2).code == 0
        gc.collect()  # Optuna leaves its connections to the end of the process
