import re
import shutil
from pathlib import Path

import pytest
from minifast_book import fingerprint
from minifast_book.fingerprint import facts


def test_it_is_short_and_the_same_each_time():
    name = fingerprint.fingerprint(facts())
    assert re.fullmatch(r"[0-9a-f]{16}", name)
    assert fingerprint.fingerprint(facts()) == name


@pytest.mark.parametrize(
    ("variable", "value", "fact"),
    [
        ("MINIFAST_SCALE", "full", "scale"),
        ("MINIFAST_DATA", "real", "data"),
        ("OMP_NUM_THREADS", "1", "threads"),
    ],
)
def test_what_a_reader_sets_is_in_it(monkeypatch, variable, value, fact):
    before = facts()
    monkeypatch.setenv(variable, value)
    after = facts()
    assert [name for name in before if before[name] != after[name]] == [fact]
    assert fingerprint.fingerprint(before) != fingerprint.fingerprint(after)


@pytest.mark.parametrize("variable", ["MATPLOTLIBRC", "MPLCONFIGDIR", "JUPYTER_PATH"])
def test_what_a_user_has_set_up_is_not(monkeypatch, variable):
    before = facts()
    monkeypatch.setenv(variable, "/home/someone")
    assert facts() == before


def test_the_package_is_the_one_that_pages_import():
    import minifast

    found = fingerprint.sources()
    assert str(found.package) in str(minifast.__file__)
    assert (found.scripts / "loop.py").exists()


def test_versions_are_those_installed_here():
    import torch

    assert f"torch {torch.__version__}" in facts()["versions"]


@pytest.mark.parametrize("name", ["gate.py", "templates/x.html"])
def test_another_extension_is_another_version(tmp_path, monkeypatch, name):
    folder = Path(fingerprint.__file__).parent
    copy = tmp_path / "book" / "_ext" / "minifast_book"
    shutil.copytree(folder, copy)
    monkeypatch.setattr(fingerprint, "__file__", str(copy / "fingerprint.py"))
    before = fingerprint.version()
    (copy / "__pycache__").mkdir(exist_ok=True)
    (copy / "__pycache__" / "gate.pyc").write_text("compiled")
    assert fingerprint.version() == before
    with (copy / name).open("a") as file:
        file.write("# edited")
    assert fingerprint.version() != before
