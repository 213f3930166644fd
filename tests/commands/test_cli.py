"""The command line from outside: spellings, help, wrong input, and `encode`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch

import autoenc
from autoenc import DynamicAutoencoder, load_model
from autoenc.errors import InputError
from autoenc.settings import SearchSettings

QUICK = ["--hidden_dims_search", "4", "--max_layers", "1", "--epochs", "1", "--latent_dim", "2"]


def problems(answer) -> list[str]:
    """The problems that a command told, each on a line of its own and nothing else said."""
    assert answer.code == 2
    assert answer.out == ""
    lines = answer.err.splitlines()
    assert all(line.startswith("error: ") for line in lines), answer.err
    return [line.removeprefix("error: ") for line in lines]


@pytest.fixture
def results(tmp_path):
    """An output folder with results of an earlier search, which must stay as they are."""
    folder = tmp_path / "results"
    folder.mkdir()
    for name in (
        "hyperparam_results_latent2.json",
        "hyperparam_results_latent3.json",
        "best_model_latent2.pth",
    ):
        (folder / name).write_text("earlier")
    before = {path.name: (path.read_text(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    yield folder
    assert {path.name: (path.read_text(), path.stat().st_mtime_ns) for path in folder.iterdir()} == before


def test_version(call):
    for arguments in (["--version"], ["search", "--version"], ["encode", "--version"]):
        assert call(*arguments) == (0, f"autoenc {autoenc.__version__}\n", "")


def test_help_lists_the_commands(call):
    answer = call("--help")
    assert answer.code == 0
    for command in ("search", "encode"):
        assert command in answer.out


def test_help_of_search_explains_every_option_in_both_spellings(call):
    answer = call("search", "--help")
    assert answer.code == 0
    text = " ".join(answer.out.split())
    for name, field in SearchSettings.model_fields.items():
        assert f"--{name}" in text
        assert f"--{name.replace('_', '-')}" in text
        assert " ".join(field.description.split()) in text
    assert "(default: 16,32,64,128)" in text
    assert "autoenc search" in text


@pytest.mark.parametrize("spell", [lambda word: word, lambda word: word.replace("_", "-")])
@pytest.mark.parametrize("join", [lambda flag, value: [flag, value], lambda flag, value: [f"{flag}={value}"]])
def test_every_option_is_accepted_with_either_dash_and_in_either_form(call, table_csv, tmp_path, spell, join):
    given = {
        "--latent_dim": "1", "--hidden_dims_search": "3,2", "--max_layers": "2", "--epochs": "1",
        "--batch_size": "7", "--initial_lr": "0.01", "--eta_min": "1e-5", "--data_path": table_csv,
        "--device": "cpu", "--output_dir": tmp_path / "out", "--seed": "3", "--weight_decay": "0",
        "--dropout": "0", "--activation": "tanh", "--norm": "none", "--scaling": "standard",
        "--columns": "up,north,down", "--jobs": "2", "--engine": "torch",
    }  # fmt: skip
    words = [word for flag, value in given.items() for word in join(spell(flag), str(value))]
    answer = call("search", *words, spell("--save_models"), "--quiet")
    assert answer == (0, "", "")
    info = load_model(tmp_path / "out" / "best_model_latent1.pth").info
    assert info["columns"] == ["up", "north", "down"]
    assert (info["activation"], info["norm"], info["scaling"], info["dropout"]) == (
        "tanh",
        "none",
        "standard",
        0,
    )
    assert info["recipe"]["batch_size"] == 7
    assert (info["recipe"]["initial_lr"], info["recipe"]["eta_min"]) == (0.01, 1e-5)
    assert info["seed"] == 3


def test_both_spellings_in_one_command(call, results):
    assert (
        len(problems(call("search", "--max-layers", "0", "--batch_size", "0", "--output_dir", results))) == 2
    )


WRONG_OPTIONS = [
    (["--hidden_dims_search", ""], "--hidden_dims_search"),
    (["--hidden_dims_search", "16,words"], "'words' in '16,words'"),
    (["--hidden_dims_search", "16,0"], "at least 1"),
    (["--hidden_dims_search", "-16"], "at least 1"),
    (["--hidden_dims_search", "16,-16"], "at least 1"),
    (["--hidden_dims_search", "16,16"], "must not repeat a value, got 16 twice"),
    (["--max_layers", "0"], "--max_layers must be at least 1, got '0'"),
    (["--epochs", "-1"], "--epochs must be at least 1, got '-1'"),
    (["--batch_size", "0"], "--batch_size must be at least 1, got '0'"),
    (["--latent_dim", "0"], "--latent_dim must be at least 1, got '0'"),
    (["--latent_dim", "2.5"], "--latent_dim must be a whole number, got '2.5'"),
    (["--latent_dim="], "--latent_dim must be a whole number, got ''"),
    (["--initial_lr", "0"], "--initial_lr must be above 0"),
    (["--initial_lr", "-1e-3"], "--initial_lr must be above 0"),
    (["--eta_min", "-1"], "--eta_min must be at least 0"),
    (["--eta_min", "0.5"], "--eta_min must not be above --initial_lr, got 0.5 and 0.001"),
    (["--weight_decay", "-1"], "--weight_decay"),
    (["--dropout", "1.5"], "--dropout must be below 1"),
    (["--seed", "-7"], "--seed"),
    (["--jobs", "0"], "--jobs"),
    (
        ["--device", "gpu"],
        "--device must be one of 'auto', 'cuda' or 'cpu', or a device such as 'cuda:1', got 'gpu'",
    ),
    (["--engine", "native", "--device", "cuda"], "--engine native trains on the CPU only"),
    (["--activation", "softplus"], "--activation must be one of 'relu'"),
    (["--norm", "batch"], "--norm must be one of"),
    (["--scaling", "log"], "--scaling must be one of"),
    (["--quiet", "--verbose"], "exclude each other"),
    (["--epoch=3"], "--epoch=3 is not an option; did you mean --epochs?"),
    (["--save_model"], "--save_model is not an option; did you mean --save_models?"),
    (["--save-model"], "--save-model is not an option; did you mean --save-models?"),
    (["--zzz"], "--zzz is not an option; --help lists them"),
    (["table.csv"], "'table.csv' was not expected"),
]


@pytest.mark.parametrize(("arguments", "told"), WRONG_OPTIONS)
def test_a_wrong_option_is_one_clear_line(call, results, arguments, told):
    (problem,) = problems(call("search", "--output_dir", results, *arguments))
    assert told in problem


def test_a_mistyped_option_with_a_value_is_one_clear_line(call, results):
    (problem,) = problems(call("search", "--output_dir", results, "--epoch", "3"))
    assert problem.startswith("--epoch is not an option; did you mean --epochs?")


def test_an_option_without_its_value_is_one_clear_line(call, results):
    (problem,) = problems(call("search", "--output_dir", results, "--epochs"))
    assert "--epochs" in problem


def test_an_abbreviated_option_is_not_guessed(call, results):
    assert "--epoch=3 is not an option" in problems(call("search", "--epoch=3", "--output_dir", results))[0]


def test_all_wrong_options_are_told_at_once(call, results):
    told = problems(
        call(
            "search", "--output_dir", results, "--epochs", "0", "--latent-dim", "x", "--device", "tpu",
            "--hidden_dims_search", "8,no", "--eta_min", "3", "--colour=red",
        )
    )  # fmt: skip
    assert len(told) == 6
    for part in ("--epochs", "--latent_dim", "--device", "--hidden_dims_search", "--eta_min", "--colour=red"):
        assert any(part in problem for problem in told)


def test_what_is_wrong_outside_the_options_is_told_at_once(call, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    (tmp_path / "file").write_text("kept")
    told = problems(
        call(
            "search",
            "--device",
            "cuda",
            "--output_dir",
            tmp_path / "file",
            "--data_path",
            tmp_path / "none.csv",
        )
    )
    assert len(told) == 3
    assert "no CUDA device is available here; use --device cpu" in told[0]
    assert "is a file, not a folder" in told[1]
    assert "there is no such file" in told[2]
    assert (tmp_path / "file").read_text() == "kept"


def test_cuda_where_there_is_none(call, results, table_csv, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    (problem,) = problems(
        call("search", "--device", "cuda", "--data_path", table_csv, "--output_dir", results)
    )
    assert problem == "--device cuda: no CUDA device is available here; use --device cpu"


@pytest.fixture
def gpu(monkeypatch):
    """A GPU, as far as a search sees: the stacked engine on the CPU, and how long each engine would take."""
    from autoenc.engines import make_engine
    from autoenc.searching import choice

    seconds = {"native": 84, "stacked": 82}
    monkeypatch.setattr(choice, "may_have_gpu", lambda: True)
    monkeypatch.setattr(choice, "has_gpu", lambda: True)
    monkeypatch.setattr("autoenc.workflows.plan.has_gpu", lambda: True)
    monkeypatch.setattr(choice, "make_engine", lambda name, device: make_engine(name, "cpu"))
    monkeypatch.setattr(choice, "estimate_seconds", lambda fits, split_of, engine, jobs: seconds[engine.name])
    return seconds


SMALL = ("--hidden_dims_search", "4", "--epochs", 1)


def test_the_faster_engine_trains_where_there_is_a_choice(call, tmp_path, table_csv, gpu):
    answer = call("search", "--data_path", table_csv, *SMALL, "--output_dir", tmp_path)
    assert (
        "engine stacked on cpu is the fastest here: a short calibration says native on cpu about 84.0 s, "
        "stacked on cpu about 82.0 s" in answer.out
    )
    assert "engine stacked, up to 64 fits at once on cpu" in answer.out
    assert '"engine":"stacked"' in (tmp_path / "study.journal").read_text()


def test_a_short_search_needs_no_gpu(call, tmp_path, table_csv, gpu):
    gpu["native"] = 3
    answer = call("search", "--data_path", table_csv, *SMALL, "--output_dir", tmp_path)
    assert "engine native on cpu takes about 3.0 s, less than a GPU takes to get ready" in answer.out
    dry = call("search", "--data_path", table_csv, *SMALL, "--fresh", "--dry_run", "--output_dir", tmp_path)
    assert "engine stacked on cpu would take about 82.0 s" in dry.out
    assert "training will take about 3.0 s" in dry.out


def test_what_is_recorded_is_not_measured(call, tmp_path, table_csv, gpu, monkeypatch):
    from autoenc.searching import choice

    options = ("search", "--data_path", table_csv, *SMALL, "--output_dir", tmp_path)
    measured = []
    monkeypatch.setattr(choice, "estimate_seconds", lambda fits, *_: measured.append(len(fits)) or 1)
    call(*options)
    call(*options)
    call(*options, "--max_layers", 4)
    assert measured == [3, 1], "of three fits, none, one"


def test_where_a_gpu_cannot_train_the_cpu_does(call, tmp_path, table_csv, gpu, monkeypatch):
    from autoenc.searching import choice

    def estimate(fits, split_of, engine, jobs):
        if engine.name == "stacked":
            raise RuntimeError("CUDA error: no kernel image is available for execution on the device")
        return 90

    monkeypatch.setattr(choice, "estimate_seconds", estimate)
    problem = "stacked on cpu cannot train this: the GPU failed (CUDA error: no kernel image is available"
    answer = call("search", "--data_path", table_csv, *SMALL, "--output_dir", tmp_path)
    assert answer.code == 0
    assert f"engine native on cpu trains; {problem}" in answer.out
    dry = call("search", "--data_path", table_csv, *SMALL, "--fresh", "--dry_run", "--output_dir", tmp_path)
    assert f"engine {problem}" in dry.out
    assert "training will take about 90.0 s" in dry.out


def test_workers_elsewhere_have_devices_of_their_own(call, tmp_path, table_csv, gpu):
    options = ("--data_path", table_csv, *SMALL, "--scheduler", "tcp://localhost:1", "--output_dir", tmp_path)
    dry = call("search", *options, "--dry_run")
    assert "stacked" not in dry.out
    assert "training will take about 84.0 s" in dry.out


def test_the_stacked_engine_trains_a_search_and_says_that_a_cpu_is_not_its_place(call, tmp_path, table_csv):
    options = ("--data_path", table_csv, "--hidden_dims_search", "4,6", "--epochs", 2, "--folds", 2)
    answer = call("search", *options, "--engine", "stacked", "--output_dir", tmp_path / "out")
    assert answer.code == 0
    assert "--engine stacked is slower than native on a CPU" in answer.err
    assert "engine stacked, up to 64 fits at once on cpu" in answer.out
    dry = call("search", *options, "--engine", "stacked", "--dry_run", "--fresh", "--output_dir", tmp_path)
    lines = [line for line in dry.out.splitlines() if "would take about" in line]
    assert [line.split(" would")[0] for line in lines] == ["engine stacked on cpu", "engine native on cpu"]
    verified = call("search", *options, "--engine", "stacked", "--verify", 2, "--output_dir", tmp_path)
    assert verified.code == 0
    assert "by the engines stacked and torch" in verified.out
    again = call("search", *options, "--output_dir", tmp_path / "out")
    assert "18 of 18 already trained" in again.out, "its record is like that of any engine"


@pytest.mark.parametrize("place", ["file", "file/sub", "/proc/self/nothing", "/dev/null"])
def test_an_output_folder_that_cannot_be_written(call, table_csv, tmp_path, place):
    (tmp_path / "file").write_text("kept")
    answer = call("search", "--data_path", table_csv, "--output_dir", tmp_path / place, *QUICK)
    (problem,) = problems(answer)
    assert problem.startswith(f"--output_dir {tmp_path / place}: ")
    assert (tmp_path / "file").read_text() == "kept"


BAD_TABLES = {
    "empty": ("", "is empty"),
    "prose": ("No table.\nHello, world, and more.\n", "is not a CSV table"),
    "binary": (b"\x7fELF\2\1\1\0\0\0" + bytes(100), "is a binary file"),
    "not UTF-8": (b"\xff\xd8\xff\xe0 picture", "is not UTF-8 text"),
    "header only": ("a,b,c,d\n", "has a header but no rows"),
    "one row": ("a,b,c,d\n1,2,3,4\n", "has 1 row, but a train/test split needs at least 2"),
    "no numeric column": ("a,b,c\nx,y,z\nu,v,w\n", "has no numeric column; its columns are 'a', 'b', 'c'"),
    "all missing": ("a,b,c,d\n,,,\n,,,\n", "all cells are missing"),
    "infinity": ("a,b,c,d\n1,2,3,4\n5,inf,7,8\n", "row 2, column 'b'"),
    "duplicate columns": (
        "a,b,a\n1,2,3\n4,5,6\n",
        "column names must differ, but these stand there twice: a",
    ),
    "text in a numeric column": (
        "a,b,c,d\n1,2,3,4\n5,6,seven,8\n9,10,11,12\n",
        "row 2, column 'c': 'seven' is not a number",
    ),
    "nothing to test on": ("a,b,c,d\n1,2,3,4\n,,,\n", "all cells of the 1 test rows are missing"),
}


@pytest.mark.parametrize(("content", "told"), BAD_TABLES.values(), ids=BAD_TABLES)
def test_a_table_that_cannot_be_used_is_one_clear_line(call, results, tmp_path, content, told):
    path = tmp_path / "bad.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    (problem,) = problems(call("search", "--data_path", path, "--output_dir", results, "--latent_dim", "2"))
    assert problem.startswith(f"{path}: ")
    assert told in problem


def test_a_table_that_is_missing_or_a_folder(call, results, tmp_path):
    (problem,) = problems(call("search", "--data_path", tmp_path / "none.csv", "--output_dir", results))
    assert problem == f"{tmp_path / 'none.csv'}: there is no such file"
    (problem,) = problems(call("search", "--data_path", tmp_path, "--output_dir", results))
    assert problem == f"{tmp_path}: is a folder; name a CSV or Parquet file"


def test_a_grid_that_nobody_could_train_is_refused(call, results, table_csv):
    (problem,) = problems(
        call("search", "--data_path", table_csv, "--output_dir", results, "--max_layers", 10**9)
    )
    assert "--max_layers" in problem


def test_columns_that_are_not_there(call, results, table_csv):
    (problem,) = problems(
        call("search", "--data_path", table_csv, "--columns", "north,eats", "--output_dir", results)
    )
    assert problem.startswith(f"{table_csv}: has no column 'eats'; did you mean 'east'?")


def test_a_missing_file_is_missing_for_verify_too(call, tmp_path):
    (problem,) = problems(call("search", "--verify", "1", "--data_path", tmp_path / "none.csv"))
    assert "there is no such file" in problem


@pytest.mark.parametrize("arguments", [[], ["serch"], ["--latent_dim", "3"]])
def test_a_missing_or_unknown_command_says_what_there_is(call, arguments):
    answer = call(*arguments)
    assert answer.code == 2
    assert answer.out == ""
    assert "Traceback" not in answer.err


def test_warnings_are_lines_on_stderr_and_do_not_stop_a_search(call, tmp_path, frame):
    path = tmp_path / "t.csv"
    frame.assign(word="x", same=1).to_csv(path)
    answer = call("search", "--data_path", path, "--output_dir", tmp_path / "out", "--quiet", *QUICK)
    assert answer.code == 0
    assert answer.err.splitlines() == [
        f"warning: {path}: left out, not numeric: 'word'",
        f"warning: {path}: left out, without a name: 1 column, probably a row index",
        f"warning: {path}: constant, kept but without information: same",
    ]


def test_a_latent_space_as_wide_as_the_table_is_warned_about(call, tmp_path, table_csv):
    answer = call(
        "search", "--data_path", table_csv, "--output_dir", tmp_path, *QUICK, "--latent_dim", "6", "--quiet"
    )
    assert answer.code == 0
    assert answer.err == "warning: latent size 6 is not below the 6 columns: nothing has to be compressed\n"


@pytest.fixture(scope="module")
def model_path(call, table_csv, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    assert call("search", "--data_path", table_csv, "--output_dir", folder, "--save_models", *QUICK).code == 0
    return folder / "best_model_latent2.pth"


def test_encode_writes_the_latent_points_of_every_row(call, model_path, frame, tmp_path):
    table, output = tmp_path / "t.csv", tmp_path / "latents.csv"
    frame[["down", "north", "up", "east", "west", "south"]].assign(extra="x").to_csv(table, index=False)
    answer = call("encode", "--model", model_path, "--data-path", table, "--output", output)
    assert answer == (0, f"60 rows, latent size 2: {output}\n", "")
    found = pd.read_csv(output)
    assert list(found.columns) == ["latent_1", "latent_2"]
    np.testing.assert_allclose(found, load_model(model_path).encode(frame), rtol=1e-6)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["latents.csv", "t.csv"]


def test_encode_wants_a_model(call, tmp_path):
    assert problems(call("encode", "--output", tmp_path / "l.csv")) == ["--model is required"]


def test_encode_refuses_what_it_cannot_use(call, model_path, frame, table_csv, tmp_path):
    output = tmp_path / "latents.csv"
    output.write_text("earlier")

    def refused(model=model_path, data_path=table_csv, to=output) -> str:
        answer = call("encode", "--model", model, "--data_path", data_path, "--output", to)
        (problem,) = problems(answer)
        assert output.read_text() == "earlier"
        return problem

    assert "there is no such file" in refused(model=tmp_path / "none.pth")
    assert "not a model file" in refused(model=table_csv)
    assert "there is no such file" in refused(data_path=tmp_path / "none.csv")
    fewer = tmp_path / "fewer.csv"
    frame.drop(columns=["up", "east"]).to_csv(fewer, index=False)
    assert "has no column east, up, which the model needs" in refused(data_path=fewer)
    wrong = tmp_path / "wrong.csv"
    frame.astype(object).assign(up="high").to_csv(wrong, index=False)
    assert "row 1, column 'up': 'high' is not a number" in refused(data_path=wrong)
    assert "--output" in refused(to=tmp_path / "no-folder" / "l.csv")
    assert "--output" in refused(to=tmp_path)
    torch.save(DynamicAutoencoder(6, 2, (4,)).state_dict(), tmp_path / "bare.pth")
    assert "does not name its columns" in refused(model=tmp_path / "bare.pth")


def run(root, *arguments, **options) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, *arguments], cwd=root, capture_output=True, text=True, **options)


def test_the_script_in_a_process_of_its_own(root, table_csv, tmp_path):
    done = run(root, "hyperparam_optimizer.py", "--data_path", table_csv, "--output_dir", tmp_path, *QUICK)
    assert done.returncode == 0, done.stderr
    assert "best stack    4" in done.stdout
    assert (tmp_path / "hyperparam_results_latent2.json").exists()


def test_the_script_and_the_module_tell_wrong_input_alike(root, tmp_path):
    arguments = ["--epochs", "0", "--hidden-dims-search", "-3", "--output_dir", tmp_path]
    script = run(root, "hyperparam_optimizer.py", *arguments)
    module = run(root, "-m", "autoenc", "search", *arguments)
    assert script.returncode == module.returncode == 2
    assert script.stdout == module.stdout == ""
    assert script.stderr == module.stderr
    assert len(script.stderr.splitlines()) == 2
    assert list(tmp_path.iterdir()) == []


SIGNAL = "import os, signal; os.kill(os.getpid(), signal.{})"
MANGLED = f"try:\n    {SIGNAL}\nexcept KeyboardInterrupt:\n    raise ImportError('initialization failed')"


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGUSR1"])
@pytest.mark.parametrize("program", [("hyperparam_optimizer.py",), ("-m", "autoenc", "search")])
@pytest.mark.parametrize("content", [SIGNAL, MANGLED], ids=["plainly", "as another error"])
def test_interrupted_while_it_loads_it_says_so(root, tmp_path, name, program, content):
    (tmp_path / "pydantic.py").write_text(content.format(name))  # imported by all, before anything is done
    done = run(root, *program, env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert (done.stdout, done.stderr) == ("", f"stopped by {name}\n")
    assert done.returncode == 128 + getattr(signal, name)


def test_the_scripts_help_names_the_script(root):
    done = run(root, "hyperparam_optimizer.py", "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("usage: hyperparam_optimizer.py [-h]")


def test_bad_data_ends_a_process_with_one_line(root, tmp_path):
    done = run(
        root, "-m", "autoenc", "search", "--data_path", tmp_path / "none.csv", "--output_dir", tmp_path / "o"
    )
    assert done.returncode == 2
    assert done.stderr == f"error: {tmp_path / 'none.csv'}: there is no such file\n"


def test_bad_data_is_told_at_once_even_while_kernels_compile(root, tmp_path):
    # An empty cache: the engine compiles in the background when the process ends.
    done = run(
        root, "-m", "autoenc", "search", "--data_path", tmp_path / "none.csv", "--output_dir", tmp_path / "o",
        env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")},
    )  # fmt: skip
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ["tune", "--shard", "0/4"],
            "--shard is not an option here; let several processes share one --storage",
        ),
        (["tune", "--save_models"], "--save_models is not an option here; `autoenc train-best`"),
        (["transfer", "--shard", "0/4"], "let several processes share one --storage"),
        (["transfer", "--ensemble", "2"], "a model with heads has one encoder"),
        (["fit", "--shard", "0/4"], "--jobs and --scheduler"),
        (["fit", "--finalists", "4"], "surely better than PCA"),
        (["fit", "--dry-run"], "--dry-run is not an option here; it takes what --budget says"),
        (["search", "--pruner", "median"], "--strategy halving"),
        (["phases", "x.yaml", "--shard", "0/4"], "each phase begins from the one before it"),
        (["phases", "x.yaml", "--seeds", "3"], "write `seeds: ...` into the experiment's file"),
    ],
)
def test_an_option_of_another_search_says_what_to_do_instead(call, arguments, told):
    answer = call(*arguments)
    assert answer.code == 2
    assert answer.err.startswith("error: --")
    assert told in answer.err
    assert "Traceback" not in answer.err


def test_python_says_what_to_do_instead_in_its_own_words(frame):
    with pytest.raises(InputError, match="let several processes share one storage") as caught:
        autoenc.tune(frame, shard="0/4")
    assert caught.value.problems[0].startswith("shard is not an option here; ")
