"""The table of old names: those of the 2019 course and of fastai, and ours.

``old_names.yml`` beside the page says which names of ours do the work of an old one. A
name must be handed out by a room (or, of another library, be there); which chapters
build, show or use it is found out from their code cells.
"""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from minifast_book import rooms
from minifast_book.tables import Table, api_link

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

BOOK = re.compile(r"^Book: ch\. (\d+)", re.MULTILINE)


class OldNames(Table):
    """Old names, what does their work here, and where in the book."""

    columns = ("in the 2019 course", "in fastai or miniai", "here", "chapter")

    def rows(self) -> Iterator[list[str]]:
        """Yield a row for each entry; remember for the gate where they are."""
        file = self.beside("old_names.yml")
        vars(self.env)["book_old_names"] = file
        for of in read(file):
            here = [name for name in of["here"] if is_there(name)]
            links = [api_link(n) if _is_ours(n) else f"`{n}`" for n in here]
            told = ": ".join(filter(None, (", ".join(links), of["says"])))
            where = self.pages(chapters(self.env, of))
            yield [of["course"], of["fastai"], told, where]


def find_gaps(app: Sphinx) -> Iterator[str]:
    """Yield the names that are not there, and those that no chapter tells of."""
    file = getattr(app.env, "book_old_names", None)
    if file is None:
        return
    place = file.relative_to(Path(app.srcdir).parent)
    for of in read(file):
        old = of["course"] or of["fastai"]
        for name in of["here"]:
            if not is_there(name):
                yield f"{place}: what is {old} is no longer at {name}"
        if not chapters(app.env, of):
            yield f"{place}: no chapter tells of what was {old}"


def read(file: Path) -> list[dict[str, Any]]:
    """Return the entries, each with all its keys."""
    empty = {"course": "", "fastai": "", "here": [], "says": "", "chapter": ""}
    return [empty | of for of in yaml.safe_load(file.read_text(encoding="utf-8")) or []]


def is_there(name: str) -> bool:
    """Tell whether a name of ours is public, or another library's is there."""
    place, _, attribute = name.rpartition(".")
    try:
        module = importlib.import_module(place)
    except ImportError:
        return False
    return attribute in (rooms.handed_out(module) if _is_ours(name) else dir(module))


def chapters(env: BuildEnvironment, of: dict[str, Any]) -> list[str]:
    """Return the chapters that the docstrings of the names give, or the entry itself.

    Where a docstring gives none, the first chapter counts that builds the name, or else
    shows it, or else uses it.
    """
    found, pages = rooms.find_names(env), rooms.chapters(env)
    told = {page for page in pages if page[:2] == str(of["chapter"])}
    for name in of["here"]:
        if not (_is_ours(name) and is_there(name)):
            continue
        attribute = name.rpartition(".")[2]
        way = rooms.way_of(attribute, found)
        in_cells = found[attribute][way][:1] if way else []
        told.update([p for p in pages if p[:2] == _written(name)] or in_cells)
    return sorted(told)


def _written(name: str) -> str:
    """Return the number of the chapter that the docstring of a name gives."""
    place, _, attribute = name.rpartition(".")
    thing = getattr(importlib.import_module(place), attribute, None)
    match = BOOK.search(inspect.getdoc(thing) or "")
    return match[1] if match else ""


def _is_ours(name: str) -> bool:
    return name.startswith("minifast.")
