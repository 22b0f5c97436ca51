import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from minifast_book.markdown import Converter
from minifast_book.notebooks import readable
from minifast_book.references import References
from myst_nb.core.read import read_myst_markdown_notebook
from pybtex.database import parse_file, parse_string

BOOK = Path(__file__).parents[3] / "book"
WORKS = parse_string(
    "@book{bee, author = {Bee, B.}, title = {Honey}, year = {2001}}", "bibtex"
)
KNOWN = References(
    site="https://b.org/",
    titles={"01-a": "First", "02-b": "Second", "appendix/c": "Extra", "api": "API"},
    places={
        "fig-a": ("01-a", "fig-a"),
        "fig-b": ("02-b", "fig-b"),
        "eq-a": ("01-a", "equation-eq-a"),
        "m.claim": ("api", "m.claim"),
    },
    numbers={
        "fig-a": "Fig. 1.2",
        "fig-b": "Fig. 2.1",
        "eq-a": "(1.3)",
        "ex-a": "Exercise 1.4",
    },
)
FIG_B = "https://b.org/02-b.html#fig-b"


def converter(page="01-a", references=KNOWN):
    return Converter(page, references, WORKS, {"time": "1.2 ms"}, {"R": r"\mathbb{R}"})


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("It takes {glue:text}`time`.", "It takes 1.2 ms."),
        ("See {numref}`fig-a`.", "See Fig. 1.2."),
        ("See {numref}`fig-b`.", f"See [Fig. 2.1]({FIG_B})."),
        ("See {numref}`picture %s <fig-b>`.", f"See [picture 2.1]({FIG_B})."),
        ("By {eq}`eq-a`, so.", "By (1.3), so."),
        ("Bees {cite:p}`bee` fly.", "Bees (Bee, 2001) fly."),
        ("{cite:t}`bee` says:", "Bee (2001) says:"),
        ("A {term}`loss`, {term}`losses <loss>`.", "A loss, losses."),
        ("Call {py:func}`~m.claim`.",
         "Call [`claim()`](https://b.org/api.html#m.claim)."),
        ("Call {py:func}`x.y`.", "Call `x.y()`."),
        ("A {py:class}`box <x.Box>`.", "A `box`."),
        ("See {doc}`the next <02-b>`.", "See [the next](https://b.org/02-b.html)."),
        ("See {doc}`/appendix/c`.", "See [Extra](https://b.org/appendix/c.html)."),
        ("See [the *next*](02-b.md).", "See [the *next*](https://b.org/02-b.html)."),
        ("See [it](02-b.md#part).", "See [it](https://b.org/02-b.html#part)."),
        ("See [](02-b.md).", "See [Second](https://b.org/02-b.html)."),
        ("See [](#fig-b) and [](fig-a).", f"See [Fig. 2.1]({FIG_B}) and Fig. 1.2."),
        ("See [it](99-no.md).", "See it."),
        ("See [it](https://a.org/x.md).", "See [it](https://a.org/x.md)."),
        ("![Bees](images/b.png)", "![Bees](https://b.org/_images/b.png)"),
        (r"In $\R^n$, $\Rn$.", r"In $\mathbb{R}^n$, $\Rn$."),
        (r"Math {math}`\R`", r"Math $\R$"),
        ("x{sup}`2`", "x<sup>2</sup>"),
        ("Press {kbd}`Ctrl`.", "Press `Ctrl`."),
        ("It was <!-- cited --> 3 s.", "It was 3 s."),
        ("(sec-a)=\n% a remark\n# A\n{.wide}\nB", "# A\nB"),
        ("Braces {x} and `code` stay.", "Braces {x} and `code` stay."),
        ("As in `` {eq}`eq-a` `` it is.", "As in `` {eq}`eq-a` `` it is."),
        ("`[a](02-b.md)`", "`[a](02-b.md)`"),
        ("$$\na\n$$ (eq-a)", "$$\na\n\\tag{1.3}\n$$"),
        ("Text\n\n$$\n\\R\n$$\n\nmore", "Text\n\n$$\n\\mathbb{R}\n$$\n\nmore"),
    ],
)  # fmt: skip
def test_what_stands_in_a_line_becomes_plain(text, plain):
    assert converter().convert(text) == plain


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("```python\n{eq}`eq-a`\n```", "```python\n{eq}`eq-a`\n```"),
        ("````md\n```{note}\nA\n```\n````", "````md\n```{note}\nA\n```\n````"),
        ("```{note}\nMind {eq}`eq-a`.\n```", "> **Note.**\n>\n> Mind (1.3)."),
        (":::{tip}\n:class: x\nA\n\nB\n:::", "> **Tip.**\n>\n> A\n>\n> B"),
        (":::{admonition} Why\n```\nx\n```\n:::", "> **Why.**\n>\n> ```\n> x\n> ```"),
        ("```{code-block} python\n:linenos:\nx\n```", "```python\nx\n```"),
        ("```{math}\n:label: eq-a\nx\n```", "$$\nx\n\\tag{1.3}\n$$"),
        ("```{figure} a/b.png\n---\nname: fig-a\n---\nBees.\n```",
         "![](https://b.org/_images/b.png)\n\n**Fig. 1.2.** Bees."),
        ("```{eval-rst}\n.. automodule:: x\n```",
         "*This part is on the [page of the book](https://b.org/01-a.html).*"),
        (":::{dropdown} A < `b`\nX\n:::",
         "<details>\n<summary>A &lt; <code>b</code></summary>\n\nX\n\n</details>"),
        ("- a\n\n  ```{note}\n  B\n  ```\n", "- a\n\n  > **Note.**\n  >\n  > B"),
    ],
)  # fmt: skip
def test_directives_become_plain(text, plain):
    assert converter().convert(text).replace("> \n", ">\n") == plain


def test_an_exercise_and_its_solution_may_each_be_one_directive():
    text = (
        "```{exercise} Try\n:label: ex-a\nDo it.\n```\n\n```{solution} ex-a\nSo.\n```"
    )
    assert converter().convert(text) == (
        "### Exercise 1.4 (Try)\n\nDo it.\n\n"
        "<details>\n<summary>Solution to Exercise 1.4 (Try)</summary>\n\n"
        "So.\n\n</details>"
    )


def test_where_nothing_is_known_references_are_words():
    unknown = converter(references=References())
    text = "{numref}`fig-a`, {eq}`eq-a`, [b](02-b.md), [c](#c), ![Bees](b.png)"
    assert unknown.convert(text) == "the figure, the equation, b, c, Bees"
    formula = unknown.convert("$$\na\n$$ (eq-a)")
    assert formula == "$$\na\n$$"


def test_a_page_in_a_folder_names_others_from_there():
    text = "[a](../01-a.md), [c](c.md)"
    assert converter("appendix/c").convert(text) == (
        "[a](https://b.org/01-a.html), [c](https://b.org/appendix/c.html)"
    )


EXERCISE = """## Exercises

```{exercise-start} Predict
:label: ex-a
```
What is it?
```{exercise-end}
```

````{solution-start} ex-a
:class: dropdown
````
"""


def test_a_solution_is_folded_over_several_cells():
    page = converter()
    first = page.convert(EXERCISE + "This:")
    assert first.startswith("## Exercises\n\n### Exercise 1.4 (Predict)\n\nWhat is it?")
    title = "Solution to Exercise 1.4 (Predict)"
    assert first.endswith(
        f"<details>\n<summary>{title}</summary>\n\nThis:\n\n</details>"
    )
    assert page.solution
    second = page.convert("And that.\n\n````{solution-end}\n````\n\n## Notes")
    assert second == (
        f"<details>\n<summary>{title} (continued)</summary>\n\nAnd that.\n\n"
        "</details>\n\n## Notes"
    )
    assert not page.solution


def test_a_solution_of_code_alone_has_a_title_and_no_empty_folds():
    page = converter()
    assert page.convert(EXERCISE).endswith(
        "**Solution to Exercise 1.4 (Predict)**, in the folded cell"
    )
    assert page.convert("````{solution-end}\n````") == ""


class Anything(dict):
    """A text for each name that one asks for."""

    def get(self, name, default=None):
        return "so many"


def markdown_of(path):
    """The Markdown of a page's notebook, without executing its cells."""
    works = parse_file(BOOK / "references.bib")
    page = Converter(path.stem, References(), works, Anything())
    notebook = readable(
        read_myst_markdown_notebook(path.read_text(encoding="utf-8")), page
    )
    return [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]


def prose_of(text):
    """What a reader sees: a backtick in place of code, no addresses of links."""
    found = []
    for token in MarkdownIt().parse(text):
        assert not token.info.startswith("{"), f"a directive: {token.info}"
        if token.type == "inline":
            found += [
                "`" if each.type == "code_inline" else each.content
                for each in token.children
            ]
    return "".join(found)


PAGES = [p for p in BOOK.rglob("*.md") if "\nkernelspec:" in p.read_text("utf-8")]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_nothing_of_myst_is_left_in_a_chapters_notebook(path):
    keys = parse_file(BOOK / "references.bib").entries
    for text in markdown_of(path):
        prose = prose_of(text)
        left = re.findall(
            r"\{[a-z:-]+\}`|:::|\b(?:fig|eq|ex)-[a-z]|:label:|\.md\b|^\(.*\)=$",
            prose,
            re.M,
        )
        assert left == []
        assert [key for key in keys if re.search(rf"\b{key}\b", prose)] == []
        assert text.count("<details>") == text.count("</details>")
        assert not re.search(r"\]\((?!https?:)", text)
