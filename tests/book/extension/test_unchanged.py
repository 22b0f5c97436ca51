import os

import pytest
from minifast_book import unchanged


@pytest.fixture
def book(tmp_path):
    """Return the folders of a book and of what was built from it, in order."""
    sources, build = tmp_path / "book", tmp_path / "_build"
    for file in (sources / "a.md", sources / "_static" / "a.css", build / "html" / "a"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("as it was")
    unchanged.remember(build, unchanged.state(sources))
    return sources, build


def test_what_is_as_it_was_need_not_be_built(book):
    assert unchanged.is_unchanged(*book)


def test_a_book_that_was_never_built_is(tmp_path):
    assert not unchanged.is_unchanged(tmp_path / "book", tmp_path / "_build")


@pytest.mark.parametrize(
    "change",
    [
        lambda sources, build: (sources / "a.md").write_text("another"),
        lambda sources, build: (sources / "_static" / "a.css").unlink(),
        lambda sources, build: (sources / "b.md").touch(),
        lambda sources, build: (build / "html" / "a").unlink(),
        lambda sources, build: (build / "html" / "a").write_text("by hand"),
        lambda sources, build: (build / "html" / "b").touch(),
        lambda sources, build: (build / unchanged.FILE).write_text("{"),
        lambda sources, build: unchanged.forget(build),
        lambda sources, build: os.environ.update(MINIFAST_SCALE="full"),
        lambda sources, build: os.environ.update(MINIFAST_DATA="standin"),
        lambda sources, build: os.environ.update(BOOK_EXECUTE="force"),
        lambda sources, build: os.environ.update(BOOK_FINGERPRINT="0" * 16),
        lambda sources, build: os.environ.update(GITHUB_REPOSITORY="some/fork"),
    ],
)
def test_what_has_changed_is_built(book, change):
    change(*book)
    assert not unchanged.is_unchanged(*book)


@pytest.mark.parametrize("name", ["minifast/stats.py", "benchmarks/loop.py"])
def test_code_is_part_of_it(book, tmp_path, monkeypatch, name):
    found = unchanged.fingerprint.sources()
    found.package, found.scripts = tmp_path / "minifast", tmp_path / "benchmarks"
    monkeypatch.setattr(unchanged.fingerprint, "sources", lambda: found)
    file = tmp_path / name
    file.parent.mkdir()
    file.write_text("1")
    before = unchanged.state(book[0])
    assert unchanged.state(book[0]) == before
    file.write_text("2")
    assert unchanged.state(book[0]) != before
