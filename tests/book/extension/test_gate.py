from types import SimpleNamespace

import nbformat
import pytest
from minifast_book import gate
from minifast_book.harvest import Page


@pytest.fixture
def app(app, tmp_path):
    """A book of one page, all of it in the table of contents."""
    app.srcdir = tmp_path / "book"
    app.srcdir.mkdir()
    (app.srcdir / "page.md").touch()
    (app.srcdir / "_static").mkdir()
    (app.srcdir / "_static" / "note.md").touch()  # no page
    app.config.external_toc_path = "../_toc.yml"
    app.env = SimpleNamespace(found_docs={"page"}, domaindata={"std": {}})
    return app


@pytest.fixture
def said(monkeypatch):
    lines = []
    monkeypatch.setattr(
        gate.LOG, "error", lambda text, *args: lines.append(text % args)
    )
    return lines


def close(app, monkeypatch, problems):
    monkeypatch.setattr(gate, "find_problems", lambda app, page: problems)
    gate.close(app, ["a page"])
    return app.statuscode


def test_a_book_in_order_passes_in_silence(app, monkeypatch, said):
    assert close(app, monkeypatch, []) == 0
    assert said == []


def test_a_problem_fails_the_build(app, monkeypatch, said):
    assert close(app, monkeypatch, ["page.md:3: a fault"]) == 1
    assert said == ["The book is not in order, 1 problem:\n  page.md:3: a fault"]


def test_a_page_that_nobody_will_find_is_told(app, monkeypatch, said):
    (app.srcdir / "appendix").mkdir()
    (app.srcdir / "appendix" / "lost.md").touch()
    assert close(app, monkeypatch, []) == 1
    assert "appendix/lost.md: is in no table of contents" in said[0]
    app.config.external_toc_path = "../_build/chapter/toc/page.yml"  # make chapter
    app.statuscode = 0
    assert close(app, monkeypatch, []) == 0


def test_a_draft_is_told_but_not_failed(app, monkeypatch, said):
    monkeypatch.setenv("BOOK_DRAFT", "1")
    assert close(app, monkeypatch, ["one", "two"]) == 0
    assert said == ["The book is not in order, 2 problems:\n  one\n  two"]


def test_an_execution_that_broke_off_without_an_output_is_told(tmp_path):
    cell = nbformat.v4.new_code_cell("while True: pass")
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"source_map": [7]})
    source = tmp_path / "page.md"
    page = Page("page", "A page", source, source, notebook, error="CellTimeoutError")
    [problem] = gate._failures(page, "page.md")
    assert problem == "page.md: the execution broke off: CellTimeoutError"


@pytest.mark.parametrize(
    ("contents", "partial"),
    [
        ("_build/chapter/_toc.yml", True),
        ("_toc.yml", False),
        ("book/_toc.yml", False),
    ],
)
def test_the_place_of_its_contents_tells_a_part_of_the_book(
    app, tmp_path, monkeypatch, contents, partial
):
    monkeypatch.setenv("BOOK_PARTIAL", "1")  # once a setting; it changes nothing
    app.srcdir = tmp_path / "_build" / "checkout" / "book"
    app.config.external_toc_path = str(app.srcdir.parent / contents)
    assert gate.is_partial(app) is partial
