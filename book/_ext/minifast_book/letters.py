"""The table of letters: which chapters use each, found out from their formulas.

A letter that means something else in single chapters stands in a second table, where
the chapters are written down by number: what a letter means can't be found out. These
chapters are then left out of the first table. The gate asks whether they do have the
letter, and whether any chapter has those of the first table.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from minifast_book.tables import CHAPTER, Table, texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

CODE = re.compile(r"^(`{3,})(?:\{code-cell\}|[a-z]).*?^\1$|`[^`]*`", re.M | re.S)
BLOCK = re.compile(
    r"^(?P<marks>`{3,})\{letters\}(?P<kind>[^\n]*)\n(?P<rows>.*?)^(?P=marks)$",
    re.MULTILINE | re.DOTALL,
)
FORMULA = re.compile(r"\$\$(.+?)\$\$|\$([^$]+)\$", re.DOTALL)
NO_LETTERS = re.compile(r"\\(?:text|mathrm|begin|end)\s*\{[^}]*\}|\\[,;:!]")
TOKEN = re.compile(
    r"\\(?:operatorname|mathbb|mathsf)\s*\{?\s*\w+\}?"  # a name: one letter, as it were
    r"|\\[A-Za-z]+|[^\s\\{}]"
)

Formula = list[str]


class LetterTable(Table):
    """A table of letters: the rows as written, and the chapters that use the letter.

    With the argument ``other``, the last column holds numbers of chapters, which become
    links.
    """

    has_content = True
    optional_arguments = 1

    def rows(self) -> Iterator[list[str]]:
        """Yield the rows; remember for the gate on which page they are."""
        vars(self.env)["book_letters"] = self.env.docname
        by_number = {int(name[:2]): name for name in formulas(self.env)}
        for cells in _cells("\n".join(self.content)):
            if self.arguments:
                found = [by_number[n] for n in _numbers(cells) if n in by_number]
                yield [*cells[:-1], self.pages(found)]
            else:
                yield [*cells, self.pages(uses(self.env, cells))]

    @property
    def columns(self) -> tuple[str, ...]:
        """The headings, which are the first row."""
        head = [cell.strip() for cell in self.content[0].strip("| ").split("|")]
        return (*head,) if self.arguments else (*head, "chapters")


def find_gaps(app: Sphinx) -> Iterator[str]:
    """Yield the letters that no chapter uses, or not the one that is named."""
    page = getattr(app.env, "book_letters", None)
    if page is None:
        return
    place = Path(app.env.doc2path(page)).relative_to(Path(app.srcdir).parent)
    found = formulas(app.env)
    for cells in _tables(app.env, other=False):
        if not uses(app.env, cells):
            yield f"{place}: no chapter uses {cells[0]} in this meaning"
    for cells in _tables(app.env, other=True):
        for number in _numbers(cells):
            page = next((name for name in found if int(name[:2]) == number), None)
            for letter in read(cells[0]):
                if page is None or not _has(found[page], letter):
                    yield f"{place}: chapter {number} has no {''.join(letter)}"


def uses(env: BuildEnvironment, cells: list[str]) -> list[str]:
    """Return the chapters that use a letter, without those that mean another thing."""
    others = _tables(env, other=True)
    letters, elsewhere = read(cells[0]), [(read(o[0]), _numbers(o)) for o in others]
    return [
        name
        for name, found in formulas(env).items()
        if any(
            _has(found, letter)
            and not any(letter in o and int(name[:2]) in n for o, n in elsewhere)
            for letter in letters
        )
    ]


def formulas(env: BuildEnvironment) -> dict[str, list[Formula]]:
    """Return the formulas of each chapter."""
    pages = ((n, CODE.sub("", text)) for n, text in texts(env) if CHAPTER.match(n))
    return {name: read(text) for name, text in pages}


def read(text: str) -> list[Formula]:
    """Return the formulas in a text, each as a list of letters and signs."""
    found = (match[1] or match[2] for match in FORMULA.finditer(text))
    tokens = (TOKEN.findall(NO_LETTERS.sub(" ", tex)) for tex in found)
    return [[re.sub(r"[\s{}]", "", token) for token in each] for each in tokens]


def _has(found: list[Formula], letter: Formula) -> bool:
    """Tell whether a formula has the commands of a symbol, or else its letters."""
    if commands := {token for token in letter if token.startswith("\\")}:
        return any(commands <= set(formula) for formula in found)
    size = len(letter)
    return any(
        letter == formula[i : i + size]
        for formula in found
        for i in range(len(formula) - size + 1)
    )


def _tables(env: BuildEnvironment, *, other: bool) -> Iterator[list[str]]:
    """Yield the rows of the tables, of letters or of their other meanings."""
    text = Path(env.doc2path(vars(env)["book_letters"])).read_text(encoding="utf-8")
    for block in BLOCK.finditer(text):
        if bool(block["kind"].strip()) == other:
            yield from _cells(block["rows"])


def _cells(rows: str) -> Iterator[list[str]]:
    """Yield the cells of each row of a table, without its head."""
    for row in rows.splitlines()[2:]:
        yield [cell.strip() for cell in row.strip().removeprefix("|")[:-1].split("|")]


def _numbers(cells: list[str]) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", cells[-1])]
