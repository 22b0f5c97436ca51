"""The top of the package: the few names that every script needs, lazily."""

import ast
import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import minifast

ROOT = Path(__file__).parents[1]
PROBE = """
import json, sys
import minifast
before = "torch" in sys.modules
listed = dir(minifast)
from minifast import *
print(json.dumps([before, listed, sorted(set(minifast.__all__) - set(globals()))]))
"""


def test_the_names_are_listed_before_anything_is_loaded_and_there_when_asked_for():
    command = [sys.executable, "-c", PROBE]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    torch_loaded, listed, lacking = json.loads(done.stdout)
    assert not torch_loaded
    assert {*minifast.__all__, "__version__", "__doc__"} <= set(listed)
    assert lacking == []


@pytest.mark.parametrize("name", minifast.__all__)
def test_a_name_is_that_of_its_room(name):
    room = importlib.import_module(minifast._ROOMS[name])
    assert name in getattr(room, "__all__", dir(room))
    assert getattr(minifast, name) is getattr(room, name)


def test_type_checkers_are_told_the_same():
    tree = ast.parse(Path(minifast.__file__).read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    told = {
        alias.name: node.module
        for node in imports
        if node.module != "importlib"
        for alias in node.names
    }
    assert told == minifast._ROOMS
    assert sorted(told) == minifast.__all__


@pytest.mark.parametrize("name", minifast.__all__)
def test_docstring_and_api_page_name_each(name):
    page = (ROOT / "book" / "api" / "index.md").read_text(encoding="utf-8")
    assert f"``{name}``" in minifast.__doc__
    assert re.search(rf"\.{name}`", page)


def test_other_names_are_attribute_errors():
    assert not hasattr(minifast, "Recorder")
    with pytest.raises(AttributeError, match="no attribute 'Recorder'"):
        minifast.Recorder  # noqa: B018
