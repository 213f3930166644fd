"""Every public name has an example in its docstring, and the examples run."""

from __future__ import annotations

import doctest
import importlib
import inspect

import pytest

import autoenc

RAISED = {"Interrupted"}  # by Ctrl-C alone, which no example can press
NAMES = sorted(set(autoenc.__all__) - RAISED)


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_has_an_example_that_runs(name: str) -> None:
    thing = getattr(autoenc, name)
    module = importlib.import_module(thing.__module__)
    examples = doctest.DocTestFinder().find(thing, name, globs=vars(module).copy())
    assert any(example.examples for example in examples), f"{name} has no example"
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for example in examples:
        runner.run(example)
    assert not runner.failures


@pytest.mark.parametrize("name", sorted(autoenc.__all__))
def test_every_public_method_says_what_it_does(name: str) -> None:
    thing = getattr(autoenc, name)
    assert inspect.getdoc(thing)
    if inspect.isclass(thing):
        members = {key: value for key, value in vars(thing).items() if not key.startswith("_")}
        documented = (property, classmethod, staticmethod)
        without = [
            key for key, value in members.items()
            if (callable(value) or isinstance(value, documented)) and not inspect.getdoc(getattr(thing, key))
        ]  # fmt: skip
        assert not without
