"""``~`` and variables in the paths of configurations, and problems that only show when a command runs."""

from __future__ import annotations

import pytest

from autoenc.config.expand import expanded_path

ENVIRONMENT = {"HOME": "/home/me", "DATA": "/data/x", "EMPTY": "", "ODD": "$HOME~"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("~", "/home/me"), ("~/t.csv", "/home/me/t.csv"), ("$HOME/t.csv", "/home/me/t.csv"),
        ("${DATA}/t.csv", "/data/x/t.csv"), ("a/${DATA}b", "a//data/xb"), ("a/~/b", "a/~/b"),
        ("$EMPTY/t", "/t"), ("$ODD", "$HOME~"), ("$$HOME", "$HOME"), ("a$", "a$"), ("5 $ x", "5 $ x"),
        ("t.csv", "t.csv"),
    ],
)  # fmt: skip
def test_home_and_variables_are_written_out_once(text, expected):
    assert expanded_path(text, ENVIRONMENT) == expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("$NOPE/t", r"\$NOPE"),
        ("${NOPE}", r"\$\{NOPE\}"),
        ("${}", r"\$\{\}"),
        ("~no_such_user_1/t", "~no_such"),
    ],
)
def test_what_is_not_known_is_told(text, told):
    with pytest.raises(ValueError, match=told):
        expanded_path(text, ENVIRONMENT)


def test_paths_of_files_are_expanded_and_other_options_are_not(call, table_csv, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TABLES", str(table_csv.parent))
    base, config = tmp_path / "base.yaml", tmp_path / "c.yaml"
    base.write_text("epochs: 1\nmax_layers: 1\njobs: 1\nhidden_dims_search: 4\n")
    config.write_text(
        f"extends: ${{HOME}}/base.yaml\ndata_path: $TABLES/{table_csv.name}\noutput_dir: ~/out\n"
    )
    answer = call("search", "--config", config)
    assert answer.code == 0, answer.err
    assert (tmp_path / "out" / "study.journal").exists()
    config.write_text("group: $HOME\ndata_path: $NOPE/t.csv\noutput_dir: ${ALSO_NOT}\n")
    answer = call("search", "--config", config)
    assert answer.code == 2
    assert answer.err.splitlines() == [
        f"error: {config}:2: data_path uses $NOPE, which is not set in the environment; $$ is a dollar sign",
        f"error: {config}:3: output_dir uses ${{ALSO_NOT}}, which is not set in the environment; "
        "$$ is a dollar sign",
    ]
    assert "$HOME" in call("config", "show", "search", "--group", "$HOME").out


@pytest.fixture
def transfer_yaml(frame, tmp_path):
    labelled = frame.assign(score=range(len(frame)), kind=["no", "yes"] * (len(frame) // 2))
    labelled.to_csv(tmp_path / "t.csv", index=False)

    def write(text):
        path = tmp_path / "c.yaml"
        path.write_text(
            f"data_path: {tmp_path / 't.csv'}\nregression_target: score\nclassification_target: kind\n"
            f"output_dir: {tmp_path / 'out'}\n{text}"
        )
        return path

    return write


def test_what_shows_late_is_told_with_file_and_line(call, transfer_yaml, tmp_path):
    config = transfer_yaml("positive_class: maybe\n")
    answer = call("transfer", "--config", config)
    assert answer.code == 2
    assert answer.err.startswith(f"error: {config}:5: ")
    assert answer.err.endswith("'kind': positive_class must be one of 'no', 'yes', got 'maybe'\n")
    by_flag = call("transfer", "--config", config, "--positive_class", "perhaps")
    assert "--positive_class must be one of" in by_flag.err
    assert "c.yaml" not in by_flag.err
    folds = tmp_path / "f.yaml"
    folds.write_text(f"data_path: {tmp_path / 't.csv'}\nfolds: 99\noutput_dir: {tmp_path / 'o'}\n")
    assert (
        f"error: {folds}:2: {tmp_path / 't.csv'}: folds 99: there are only"
        in call("search", "--config", folds).err
    )
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "o").exists()
