"""Appendices that keep themselves: cited works, labelled equations, terms.

What is said of a work or an equation stands in ``papers.yml`` beside the page; where a
work is cited is found out. The gate asks whether anything is missing, or left over.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from minifast_book.fingerprint import ROOT
from minifast_book.tables import Table, api_link, texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

CITATION = re.compile(r"\{cite[:\w]*\}`(?P<keys>[^`]+)`")
EQUATION = re.compile(r"^\$\$ *\((?P<label>[\w-]+)\)", re.MULTILINE)
IN_CHAPTER = re.compile(r"(?P<number>\d\d): (?P<name>\w+)")


class _Papers(Table):
    """A table of what ``papers.yml`` says."""

    def known(self) -> dict[str, Any]:
        """Return what is said, and remember for the gate where."""
        file = self.beside("papers.yml")
        vars(self.env)["book_papers"] = file
        return read(file)


class CitedWorks(_Papers):
    """All works that are cited, by author and year."""

    columns = ("work", "what we take from it", "cited in chapter")

    def rows(self) -> Iterator[list[str]]:
        """Yield a row for each work that a page cites."""
        known, cited = self.known(), citations(self.env)
        for key, taken in sorted(known["works"].items()):
            if key in cited:
                yield [f"{{cite:t}}`{key}`", taken, self.pages(cited[key])]


class LabelledEquations(_Papers):
    """All labelled equations, in the order of the pages."""

    columns = ("equation", "what it says", "works", "code", "test")

    def rows(self) -> Iterator[list[str]]:
        """Yield a row for each equation that has a number."""
        known = self.known()
        for label in labels(self.env):
            if of := known["equations"].get(label):
                works = ", ".join(f"{{cite:t}}`{key}`" for key in of.get("works", []))
                code = self.code(of["code"])
                yield [f"{{eq}}`{label}`", of["says"], works, code, f"`{of['test']}`"]

    def code(self, name: str) -> str:
        """Link to a name of the package, or name the chapter that defines it."""
        found = IN_CHAPTER.fullmatch(name)
        if not found:
            return api_link(name)
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
        if not any(used.search(text) for n, text in texts(app.env) if n != glossary):
            yield f"{glossary}: no page uses the term {term!r}"


def read(file: Path) -> dict[str, Any]:
    """Return what is said of works and equations."""
    known = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    return {part: known.get(part) or {} for part in ("works", "equations")}


def citations(env: BuildEnvironment) -> dict[str, list[str]]:
    """Return the keys of cited works, each with the pages that cite it."""
    found: dict[str, list[str]] = {}
    for name, text in texts(env):
        keys = ",".join(match["keys"] for match in CITATION.finditer(text))
        for key in sorted({key.strip() for key in keys.split(",") if key.strip()}):
            found.setdefault(key, []).append(name)
    return found


def labels(env: BuildEnvironment) -> list[str]:
    """Return the labels of equations, in the order of the pages."""
    return [m["label"] for _, text in texts(env) for m in EQUATION.finditer(text)]


def _has(env: BuildEnvironment, number: str, name: str) -> bool:
    """Tell whether a chapter defines a name."""
    defined = re.compile(rf"^(?:def |class )?{name}\b(?:\(| =|:)", re.MULTILINE)
    pages = [text for page, text in texts(env) if page.startswith(number)]
    return any(defined.search(text) for text in pages)
