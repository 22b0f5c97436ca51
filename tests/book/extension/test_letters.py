from types import SimpleNamespace

import pytest
from minifast_book import letters

NOTATION = """# Notation
```{letters}
| letter | what it is |
| --- | --- |
| $x$ | an input |
| $m$, $M$ | a mean |
| $\\operatorname{Var}(x)$ | variance |
| $[z > 0]$ | one or zero |
```
```{letters} other
| letter | what it is there | chapter |
| --- | --- | --- |
| $m$ | a size | 2 |
```
"""
ONE = """# One
Take $x_i$ of many, and `$m$` in code.
$$
m = \\operatorname{Var}( x )\\,[\\,z > 0\\,] + \\text{fan}
$$
"""
TWO = """# Two
There are $m$ of them, at \\max.
```{code-cell}
print("$x$")
```
"""


@pytest.fixture
def app(tmp_path):
    """A book of two chapters and a table of letters."""
    pages = {"notation": NOTATION, "01-one": ONE, "02-two": TWO}
    srcdir = tmp_path / "book"
    srcdir.mkdir()
    for name, text in pages.items():
        (srcdir / f"{name}.md").write_text(text)
    env = SimpleNamespace(
        found_docs=set(pages),
        doc2path=lambda name: str(srcdir / f"{name}.md"),
        book_letters="notation",
    )
    return SimpleNamespace(srcdir=str(srcdir), env=env)


def test_formulas_are_letters_and_signs():
    [formula, plain] = letters.read(r"$\bar{x}_i + \operatorname{Var}(\max y)$, $5$")
    assert formula[:4] == ["\\bar", "x", "_", "i"]
    assert "\\operatornameVar" in formula
    assert "m" not in formula
    assert plain == ["5"]


@pytest.mark.parametrize(
    ("symbol", "chapters"),
    [
        ("$x$", ["01-one"]),  # in the code of the other one, it is no letter
        ("$m$", ["01-one"]),  # in the other one, it means something else
        ("$M$, $m$", ["01-one"]),
        (r"$\operatorname{Var}(y)$", ["01-one"]),
        ("$[z > 0]$", ["01-one"]),
        ("$[z < 0]$", []),
        (r"$\max$", []),
        ("$f$", []),
    ],
)
def test_where_a_letter_is_used(app, symbol, chapters):
    assert letters.uses(app.env, [symbol, "what it is"]) == chapters


@pytest.mark.parametrize(
    ("arguments", "rows", "row"),
    [
        ([], ["| $x$ | an input |"], ["$x$", "an input", "[1](01-one.md)"]),
        (["other"], ["| $m$ | a size | 2 |"], ["$m$", "a size", "[2](02-two.md)"]),
    ],
)
def test_a_row_leads_to_the_chapters(app, arguments, rows, row):
    app.env.docname = "notation"
    table = object.__new__(letters.LetterTable)
    settings = SimpleNamespace(env=app.env)
    table.state = SimpleNamespace(document=SimpleNamespace(settings=settings))
    table.arguments, table.content = arguments, ["| a | b |", "| --- | --- |", *rows]
    assert list(table.rows()) == [row]
    assert table.columns[:2] == ("a", "b")


def test_a_table_that_is_true_has_no_gaps(app):
    assert not list(letters.find_gaps(app))


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("notation.md", "| $x$", "| $q$", "no chapter uses $q$ in this meaning"),
        ("01-one.md", "m =", "k =", "no chapter uses $m$, $M$ in this meaning"),
        ("02-two.md", "$m$", "$k$", "chapter 2 has no m"),
        ("notation.md", "a size | 2", "a size | 3", "chapter 3 has no m"),
        ("notation.md", "$m$ | a size", r"$\mu$ | a size", r"chapter 2 has no \mu"),
    ],
)
def test_what_the_chapters_do_not_have_is_told(app, tmp_path, file, old, new, told):
    path = tmp_path / "book" / file
    path.write_text(path.read_text().replace(old, new))
    assert f"book/notation.md: {told}" in list(letters.find_gaps(app))


def test_a_book_without_the_table_lacks_nothing(app):
    del app.env.book_letters
    assert not list(letters.find_gaps(app))
