"""The examples in the grammar's docstrings."""

import doctest
import importlib
import pkgutil

import pytest

import charrnn.music.grammar as package

MODULES = [module.name for module in pkgutil.iter_modules(package.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_hold(name):
    module = importlib.import_module(f"{package.__name__}.{name}")
    assert doctest.testmod(module).failed == 0
