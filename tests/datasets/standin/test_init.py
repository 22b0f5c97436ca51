"""The door to all stand-ins: names, notes, and what is not imported."""

import ast
from pathlib import Path

import pytest

from minifast.datasets import standin
from minifast.datasets.registry import DATASETS
from minifast.errors import UnknownNameError


def test_there_is_a_stand_in_for_every_data_set():
    assert set(standin.GENERATORS) == set(DATASETS)


def test_the_generator_of_that_name_runs(tmp_path, monkeypatch):
    monkeypatch.setitem(standin.GENERATORS, "mnist", lambda root: f"made in {root}")
    assert standin.generate("mnist", tmp_path) == f"made in {tmp_path}"


def test_an_unknown_name_gets_a_suggestion_and_writes_nothing(tmp_path):
    with pytest.raises(UnknownNameError) as caught:
        standin.generate("imagenete", tmp_path)
    assert str(caught.value) == (
        "The stand-in must be one of: fsdd, imagenette, imdb, mnist, wikitext-2.\n"
        "  got: 'imagenete'\n"
        "  fix: Did you mean 'imagenette'?"
    )
    assert not list(tmp_path.iterdir())


def test_the_version_is_a_word_that_a_folder_can_be_named_with():
    assert standin.VERSION.isalnum()


def test_no_module_imports_matplotlib():
    for path in Path(standin.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in getattr(node, "names", [])]
            names.append(getattr(node, "module", None) or "")
            assert not any(name.startswith("matplotlib") for name in names), path.name
