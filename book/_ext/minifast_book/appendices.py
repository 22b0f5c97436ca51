"""Appendices that keep themselves: cited works, labelled equations, terms.

What is said of a work or an equation stands in ``papers.yml`` beside the page; where a
work is cited is found out. The gate asks whether anything is missing, or left over.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from sphinx.util.docutils import SphinxDirective

from minifast_book.fingerprint import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docutils import nodes
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

CITATION = re.compile(r"\{cite[:\w]*\}`(?P<keys>[^`]+)`")
EQUATION = re.compile(r"^\$\$ *\((?P<label>[\w-]+)\)", re.MULTILINE)
EXAMPLE = re.compile(r"^(`{4,}).*?^\1|``[^`\n]+`[^\n]*?``", re.MULTILINE | re.DOTALL)
IN_CHAPTER = re.compile(r"(?P<number>\d\d): (?P<name>\w+)")


class _Table(SphinxDirective):
    """A table whose rows are written in Markdown."""

    columns: tuple[str, ...]

    def run(self) -> list[nodes.Node]:
        """Write the table; the page is made again when any other page changes."""
        page = Path(self.env.doc2path(self.env.docname))
        file = page.with_suffix(".yml")
        self.env.note_dependency(str(file))
        for name in self.env.found_docs:
            self.env.note_dependency(str(self.env.doc2path(name)))
        vars(self.env)["book_papers"] = file
        head = [_row(self.columns), _row(["---"] * len(self.columns))]
        rows = [_row(cells) for cells in self.rows(read(file))]
        return self.parse_text_to_nodes("\n".join(head + rows))

    def rows(self, known: dict[str, Any]) -> Iterator[list[str]]:
        """Yield the cells of each row."""
        raise NotImplementedError

    def pages(self, names: list[str]) -> str:
        """Link to pages, chapters by their numbers."""
        folder = "../" * self.env.docname.count("/")
        found = [(re.match(r"\d\d", name), name) for name in names]
        return ", ".join(
            f"[{int(number[0])}]({folder}{name}.md)" if number else f"{{doc}}`/{name}`"
            for number, name in found
        )


class CitedWorks(_Table):
    """All works that are cited, by author and year."""

    columns = ("work", "what we take from it", "cited in chapter")

    def rows(self, known: dict[str, Any]) -> Iterator[list[str]]:
        """Yield a row for each work that a page cites."""
        cited = citations(self.env)
        for key, taken in sorted(known["works"].items()):
            if key in cited:
                yield [f"{{cite:t}}`{key}`", taken, self.pages(cited[key])]


class LabelledEquations(_Table):
    """All labelled equations, in the order of the pages."""

    columns = ("equation", "what it says", "works", "code", "test")

    def rows(self, known: dict[str, Any]) -> Iterator[list[str]]:
        """Yield a row for each equation that has a number."""
        for label in labels(self.env):
            if of := known["equations"].get(label):
                works = ", ".join(f"{{cite:t}}`{key}`" for key in of.get("works", []))
                code = self.code(of["code"])
                yield [f"{{eq}}`{label}`", of["says"], works, code, f"`{of['test']}`"]

    def code(self, name: str) -> str:
        """Link to a name of the package, or name the chapter that defines it."""
        found = IN_CHAPTER.fullmatch(name)
        if not found:
            return f"{{py:obj}}`{_documented(name)}`"
        [page] = [p for p in self.env.found_docs if p.startswith(found["number"])]
        return f"`{found['name']}` in chapter {self.pages([page])}"


def find_gaps(app: Sphinx) -> Iterator[str]:
    """Yield what the tables lack or have too much, each as a line with its place."""
    file = getattr(app.env, "book_papers", None)
    if file is None:
        return
    known, place = read(file), file.relative_to(Path(app.srcdir).parent)
    cited = citations(app.env)
    for key in sorted(cited.keys() - known["works"].keys()):
        yield f"{place}: says nothing of {key}, which {', '.join(cited[key])} cites"
    for key in sorted(known["works"].keys() - cited.keys()):
        yield f"{place}: names {key}, which no page cites"
    labelled = labels(app.env)
    for label in sorted(set(labelled) - known["equations"].keys()):
        yield f"{place}: names no code for the equation {label}"
    for label in sorted(known["equations"].keys() - set(labelled)):
        yield f"{place}: names {label}, which is no labelled equation"
    for label, of in known["equations"].items():
        if not (ROOT / of["test"]).is_file():
            yield f"{place}: the test of {label} is not there: {of['test']}"
        if (found := IN_CHAPTER.fullmatch(of["code"])) and not _has(
            app.env, found["number"], found["name"]
        ):
            yield f"{place}: the code of {label} is not there: {of['code']}"


def find_idle_terms(app: Sphinx) -> Iterator[str]:
    """Yield the terms of the glossary that no other page uses."""
    terms = app.env.domaindata["std"].get("terms", {})
    for term, (glossary, _) in sorted(terms.items()):
        used = re.compile(rf"\b{re.escape(term.lower())}", re.IGNORECASE)
        if not any(used.search(text) for n, text in _texts(app.env) if n != glossary):
            yield f"{glossary}: no page uses the term {term!r}"


def read(file: Path) -> dict[str, Any]:
    """Return what is said of works and equations."""
    known = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    return {part: known.get(part) or {} for part in ("works", "equations")}


def citations(env: BuildEnvironment) -> dict[str, list[str]]:
    """Return the keys of cited works, each with the pages that cite it."""
    found: dict[str, list[str]] = {}
    for name, text in _texts(env):
        keys = ",".join(match["keys"] for match in CITATION.finditer(text))
        for key in sorted({key.strip() for key in keys.split(",") if key.strip()}):
            found.setdefault(key, []).append(name)
    return found


def labels(env: BuildEnvironment) -> list[str]:
    """Return the labels of equations, in the order of the pages."""
    return [m["label"] for _, text in _texts(env) for m in EQUATION.finditer(text)]


def _texts(env: BuildEnvironment) -> Iterator[tuple[str, str]]:
    """Yield the pages in order, without examples of how to write them."""
    for name in sorted(env.found_docs):
        text = Path(env.doc2path(name)).read_text(encoding="utf-8")
        yield name, EXAMPLE.sub("", text)


def _has(env: BuildEnvironment, number: str, name: str) -> bool:
    """Tell whether a chapter defines a name."""
    defined = re.compile(rf"^(?:def |class )?{name}\b(?:\(| =|:)", re.MULTILINE)
    pages = [text for page, text in _texts(env) if page.startswith(number)]
    return any(defined.search(text) for text in pages)


def _documented(name: str) -> str:
    """Return the name under which an API page has what a room hands out."""
    room, _, attribute = name.rpartition(".")
    module = __import__(room, fromlist=[attribute])
    owner = getattr(module, attribute).__module__
    return f"~{owner}.{attribute}"


def _row(cells: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"
