import json

import pytest
from minifast_book import available


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A mirror that holds a tiny MNIST; it is the only place to take data from."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    files = [{"path": "a.gz", "bytes": 3, "sha256": "ab" * 32}]
    entry = {"files": files, "note": "tiny"}
    index = {"version": 1, "datasets": {"mnist": entry}}
    (folder / "index.json").write_text(json.dumps(index))
    monkeypatch.setenv("MINIFAST_MIRROR", f" {folder} ")
    return folder


USES = {"minifast.datasets.mnist": "digest", "minifast.datasets.fetching": "digest"}


def test_nothing_is_there_at_first():
    assert available.describe("load_mnist()", USES) == ""


def test_what_the_package_finds_is_named_with_a_digest(mirror):
    name, digest = available.describe("load_mnist()", USES).split()
    assert name == "mnist"
    assert len(digest) == 12


@pytest.mark.parametrize(
    ("code", "reached", "named"),
    [
        ("load_mnist()", {}, True),
        ("load()", USES, True),
        ("fetch(name)", {"minifast.datasets.fetching": "digest"}, True),
        ("fetch('imdb')", {"minifast.datasets.fetching": "digest"}, False),
        ("1 + 1", {"minifast.viz.style": "digest"}, False),
    ],
)
def test_sets_count_for_those_that_use_them(mirror, code, reached, named):
    assert ("mnist " in available.describe(code, reached)) is named


def test_a_mirror_on_the_web_is_neither_asked_nor_told(monkeypatch):
    monkeypatch.setenv("MINIFAST_MIRROR", "http://me:secret@10.0.0.1:8000")
    described = available.describe("fetch('imdb')", USES)
    assert described.startswith("mirror ")
    assert described.endswith(" web")
    assert "10.0.0.1" not in described


def test_with_stand_ins_real_data_does_not_matter(mirror, monkeypatch):
    monkeypatch.setenv("MINIFAST_DATA", "standin")
    assert available.describe("load_mnist()", USES) == "not asked for"
