from types import SimpleNamespace

import nbformat
import pytest
from minifast_book import notebooks
from minifast_book.markdown import Converter
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from pybtex.database import parse_string

WORKS = parse_string(
    "@misc{bee, author = {Bee, B.}, title = {Honey}, year = {2001}}", "bibtex"
)


def readable(*cells, page="01-a"):
    notebook = new_notebook(cells=cells, metadata={"source_map": [1]})
    plain = notebooks.readable(notebook, Converter(page, works=WORKS))
    nbformat.validate(plain)
    return plain


def test_a_notebook_installs_its_own_commit_or_says_how(monkeypatch):
    monkeypatch.setattr(notebooks, "install_command", lambda: "%pip install -q x")
    first = notebooks._install_cell()
    assert (first.cell_type, first.source) == ("code", "%pip install -q x")
    monkeypatch.setattr(notebooks, "install_command", lambda: "")
    first = notebooks._install_cell()
    assert first.cell_type == "markdown"
    assert "`pip install '.[viz]'`" in first.source


@pytest.mark.parametrize("page", ["01-été", "a page. (2)", "x" * 100, "api/a"])
def test_cell_ids_are_valid_on_any_page(page):
    plain = readable(new_markdown_cell("A"), new_code_cell("1"), page=page)
    assert [cell.id for cell in plain.cells] == ["cell-0", "cell-1"]


def test_the_caption_of_a_figure_stands_below_its_cell():
    figure = {"name": "fig-a", "caption": "Bees {cite:p}`bee`."}
    cell = new_code_cell("draw()", metadata={"mystnb": {"figure": figure}})
    _, caption, _, works = readable(cell, new_code_cell("1")).cells
    assert caption.cell_type == "markdown"
    assert caption.source == "*Figure.* Bees (Bee, 2001)."
    assert works.source.startswith("## References")


def test_the_works_cited_are_listed_at_the_end():
    plain = readable(new_markdown_cell("{cite:t}`bee` and {cite:t}`bee`"))
    assert plain.cells[-1].source == "## References\n\n- B. Bee. Honey. 2001."
    assert len(readable(new_markdown_cell("None")).cells) == 1


def test_code_of_a_solution_is_folded():
    _, inside, outside = readable(
        new_markdown_cell("```{solution-start} ex-a\n```"),
        new_code_cell("1"),
        new_markdown_cell("```{solution-end}\n```"),
        new_code_cell("2"),
    ).cells
    assert inside.metadata["jupyter"]["source_hidden"]
    assert "jupyter" not in outside.metadata


def test_macros_are_those_without_arguments():
    tex = {"macros": {"R": r"\mathbb{R}", "abs": [r"|#1|", 1]}}
    config = SimpleNamespace(mathjax3_config={"tex": tex})
    assert notebooks._macros(SimpleNamespace(config=config)) == {"R": r"\mathbb{R}"}
    config.mathjax3_config = None
    assert notebooks._macros(SimpleNamespace(config=config)) == {}


def test_figures_show_in_notebooks_that_nobody_has_trusted():
    """Jupyter takes the PNG out of several kinds, but hides an SVG."""
    both = new_output("display_data", {"image/svg+xml": "<svg/>", "image/png": "iVBO"})
    svg = new_output("display_data", {"image/svg+xml": "<svg/>"})
    [cell] = readable(new_code_cell("1", outputs=[both, svg])).cells
    assert [list(out.data) for out in cell.outputs] == [
        ["image/png"],
        ["image/svg+xml"],
    ]
