from types import SimpleNamespace

import pytest
from minifast_book import appendices

YML = """
works:
  bee2001: honey
equations:
  eq-a: {says: a sum, code: "01: add", test: tests/test_stats.py}
"""
PAGE = """# A
{cite:p}`bee2001` and ``{cite:p}`not2002` ``.
````markdown
{cite:t}`nor2003`
$$ (eq-no)
````
$$
a
$$ (eq-a)
```{code-cell}
def add(a, b):
```
"""


@pytest.fixture
def app(tmp_path):
    """A book of one chapter, and what its appendix says."""
    srcdir = tmp_path / "book"
    srcdir.mkdir()
    file = srcdir / "papers.yml"
    file.write_text(YML)
    (srcdir / "01-a.md").write_text(PAGE)
    env = SimpleNamespace(
        found_docs={"01-a"},
        doc2path=lambda name: str(srcdir / f"{name}.md"),
        book_papers=file,
        domaindata={"std": {"terms": {}}},
    )
    return SimpleNamespace(srcdir=str(srcdir), env=env)


def test_examples_are_no_citations(app):
    assert appendices.citations(app.env) == {"bee2001": ["01-a"]}
    assert appendices.labels(app.env) == ["eq-a"]
    assert not list(appendices.find_gaps(app))


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("papers.yml", "  bee2001: honey", "", "says nothing of bee2001, which 01-a"),
        (
            "papers.yml",
            "bee2001: honey",
            "bee2001: b\n  wasp: c",
            "names wasp, which no",
        ),
        ("papers.yml", "eq-a:", "eq-b:", "names no code for the equation eq-a"),
        ("papers.yml", "eq-a:", "eq-b:", "names eq-b, which is no labelled equation"),
        (
            "papers.yml",
            "test_stats",
            "test_no",
            "the test of eq-a is not there: tests/",
        ),
        ("01-a.md", "def add", "def sub", "the code of eq-a is not there: 01: add"),
        (
            "01-a.md",
            "bee2001",
            "bee2001, wasp",
            "says nothing of wasp, which 01-a cite",
        ),
    ],
)
def test_what_is_missing_or_left_over_is_told(app, tmp_path, file, old, new, told):
    path = tmp_path / "book" / file
    path.write_text(path.read_text().replace(old, new))
    assert any(told in gap for gap in appendices.find_gaps(app))


def test_a_book_without_the_appendix_lacks_nothing(app):
    del app.env.book_papers
    assert not list(appendices.find_gaps(app))


@pytest.mark.parametrize(("term", "used"), [("ADD", True), ("subtraction", False)])
def test_a_term_that_no_page_uses_is_told(app, tmp_path, term, used):
    app.env.found_docs.add("glossary")
    (tmp_path / "book" / "glossary.md").write_text(f"{term}\n  What one does.\n")
    app.env.domaindata["std"]["terms"] = {term.lower(): ("glossary", "term-x")}
    told = list(appendices.find_idle_terms(app))
    assert told == ([] if used else [f"glossary: no page uses the term {term!r}"])
