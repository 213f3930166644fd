"""The program: what it says where the first word is no command."""

from __future__ import annotations

import pytest

from autoenc.cli.program import main


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("serch", "'serch' is not a command; did you mean search?"),
        ("train_best", "'train_best' is not a command; did you mean train-best?"),
        ("config", "'config' is not a command; did you mean config show?"),
        ("data.csv", "'data.csv' is not a command; autoenc --help lists them"),
    ],
)
def test_a_word_that_is_no_command_is_told_with_the_nearest_one(capsys, word, told):
    assert main([word, "--epochs", "3"]) == 2
    assert capsys.readouterr().err == f"error: {told}\n"


def test_a_table_without_its_flag_is_told_the_flag(tmp_path, capsys):
    table = tmp_path / "table.csv"
    assert main(["search", str(table)]) == 2
    assert capsys.readouterr().err == f"error: {str(table)!r} was not expected\n"
    table.write_text("a,b\n1,2\n")
    assert main(["search", str(table)]) == 2
    told = f"{str(table)!r} was not expected; did you mean --data_path {table}?"
    assert capsys.readouterr().err == f"error: {told}\n"
    spaced = table.rename(tmp_path / "my table.csv")
    assert main(["search", str(spaced)]) == 2
    assert capsys.readouterr().err.endswith(f"did you mean --data_path '{spaced}'?\n")
