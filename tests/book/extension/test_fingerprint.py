import re
import shutil

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
        ("MINIFAST_MIRROR", "http://10.0.0.1", "real data"),
    ],
)
def test_what_a_reader_sets_is_in_it(monkeypatch, variable, value, fact):
    before = facts()
    monkeypatch.setenv(variable, value)
    after = facts()
    assert [name for name in before if before[name] != after[name]] == [fact]
    assert fingerprint.fingerprint(before) != fingerprint.fingerprint(after)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of its own, found in place of minifast."""
    folder = tmp_path / "here" / "minifast"
    (folder / "part").mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "part" / "idea.py").write_text("x = 1\n")
    spec = fingerprint.importlib.util.spec_from_file_location(
        "minifast", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    monkeypatch.setattr(fingerprint.importlib.util, "find_spec", lambda name: spec)
    return folder


def test_every_source_of_the_package_counts(package):
    before = fingerprint.package_digest()
    (package / "part" / "idea.py").write_text("x = 2\n")
    changed = fingerprint.package_digest()
    (package / "part" / "idea.py").rename(package / "idea.py")
    assert len({before, changed, fingerprint.package_digest()}) == 3


def test_where_the_package_lies_and_its_other_files_do_not_count(package, tmp_path):
    before = fingerprint.package_digest()
    (package / "part" / "idea.pyc").write_text("compiled")
    shutil.move(package, tmp_path / "minifast")
    fingerprint.importlib.util.find_spec("minifast").submodule_search_locations[0] = (
        str(tmp_path / "minifast")
    )
    assert fingerprint.package_digest() == before


def test_versions_are_those_installed_here():
    import torch

    assert f"torch {torch.__version__}" in facts()["versions"]
