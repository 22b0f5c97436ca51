"""Which public names of the package the chapters build, show or use.

Found out from the code cells alone, so that the table can't promise more than there is:

- *built*: a chapter defines its own version, and a cell checks the two together (with
  a claim, an assertion or ``assert_close``);
- *shown*: its source stands on a page, by ``show``;
- *used*: a cell uses it;
- all others need a reason in ``names.yml``, beside the page with the table.
"""

from __future__ import annotations

import ast
import importlib
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from sphinx.util.docutils import SphinxDirective

from minifast_book.reach import read_source, split_cell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docutils import nodes
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

ROOMS = {  # those that the book teaches
    "minifast.foundations": "foundations",
    "minifast.nn": "nn",
    "minifast.losses": "losses",
    "minifast.metrics": "losses",
    "minifast.stats": "losses",
    "minifast.optim": "optim",
    "minifast.data": "data",
    "minifast.learner": "learner",
    "minifast.callbacks": "callbacks",
    "minifast.vision": "vision",
}
WAYS = ("built", "shown", "used")  # the first that holds counts
CHECKS = {"claim", "assert_close"}

Found = dict[str, dict[str, list[str]]]  # by name, then by way: the chapters


class NamesTable(SphinxDirective):
    """A table of all public names of the rooms that the book teaches."""

    def run(self) -> list[nodes.Node]:
        """Write the table; the page is made again when any chapter changes."""
        file = Path(self.env.doc2path(self.env.docname)).with_name("names.yml")
        vars(self.env)["book_names"] = file
        self.env.note_dependency(str(file))
        for name in chapters(self.env):
            self.env.note_dependency(str(self.env.doc2path(name)))
        found, reasons = find_names(self.env), read_reasons(file)
        ways = {name: way_of(name, found) for name in public_names()}
        counts = Counter(ways.values())
        said = ", ".join(f"{counts[way]} {way}" for way in WAYS)
        told = (counts["built"] + counts["shown"]) / len(ways)
        lines = [
            f"Of {len(ways)} names: {said}, {counts['']} not in the chapters.",
            f"So {told:.0%} are built or shown.",
            "",
            "| room | name | the chapters | where |",
            "| --- | --- | --- | --- |",
        ]
        for name, room in public_names().items():
            if way := ways[name]:
                where = ", ".join(self.link(each) for each in found[name][way])
            else:
                where = reasons.get(name, "")
            does = {"built": "build it", "shown": "show it", "used": "use it"}
            link = f"[`{room.removeprefix('minifast.')}`](../api/{ROOMS[room]}.md)"
            lines.append(f"| {link} | `{name}` | {does.get(way, 'not')} | {where} |")
        return self.parse_text_to_nodes("\n".join(lines))

    def link(self, page: str) -> str:
        """Link to a chapter by its number."""
        return f"[{int(page[:2])}](../{page}.md)"


def find_gaps(app: Sphinx) -> Iterator[str]:
    """Yield the names without a place in the book, or with two."""
    file = getattr(app.env, "book_names", None)
    if file is None:
        return
    place, reasons = file.relative_to(Path(app.srcdir).parent), read_reasons(file)
    found = find_names(app.env)
    for name, room in public_names().items():
        if not way_of(name, found) and name not in reasons:
            yield f"{place}: no chapter uses {room}.{name}, and no reason is given"
    for name in reasons:
        if name not in public_names():
            yield f"{place}: no room hands out {name}"
        elif way := way_of(name, found):
            yield f"{place}: says why {name} is not in the book, but it is {way}"


def public_names() -> dict[str, str]:
    """Return the names that rooms hand out, each with its room."""
    return {
        name: room
        for room in ROOMS
        for name in handed_out(importlib.import_module(room))
    }


def handed_out(module: object) -> list[str]:
    """Return the names that a room hands out: those listed, or else all its own."""
    own = [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and getattr(value, "__module__", "") == getattr(module, "__name__", None)
    ]
    return list(getattr(module, "__all__", own))


def way_of(name: str, found: Found) -> str:
    """Return the most that chapters do with a name; nothing if they don't have it."""
    return next((way for way in WAYS if found.get(name, {}).get(way)), "")


def find_names(env: BuildEnvironment) -> Found:
    """Return for each name what which chapter does with it."""
    found: Found = {}
    for page in chapters(env):
        text = Path(env.doc2path(page)).read_text(encoding="utf-8")
        trees = [tree for cell in read_source(text).cells if (tree := _parse(cell))]
        own = {
            node.name
            for tree in trees
            for node in tree.body
            if isinstance(node, ast.FunctionDef | ast.ClassDef)
        }
        for tree in trees:
            there, shown = _names(tree), _shown(tree)
            ways = {"used": there, "shown": shown}
            ways["built"] = there if _checks(tree) and there & own else set()
            for way, names in ways.items():
                for name in names:
                    pages = found.setdefault(name, {}).setdefault(way, [])
                    if page not in pages:
                        pages.append(page)
    return found


def chapters(env: BuildEnvironment) -> list[str]:
    """Return the chapters, in order."""
    return sorted(name for name in env.found_docs if re.match(r"\d\d-", name))


def read_reasons(file: Path) -> dict[str, str]:
    """Return why names are not in the book."""
    return yaml.safe_load(file.read_text(encoding="utf-8")) or {}


def _parse(cell: str) -> ast.Module | None:
    try:
        return ast.parse(split_cell(cell)[0])
    except SyntaxError:
        return None


def _names(tree: ast.AST) -> set[str]:
    nodes = list(ast.walk(tree))
    plain = {node.id for node in nodes if isinstance(node, ast.Name)}
    return plain | {node.attr for node in nodes if isinstance(node, ast.Attribute)}


def _calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            func = node.func
            yield getattr(func, "id", getattr(func, "attr", "")), node


def _shown(tree: ast.AST) -> set[str]:
    return {
        name
        for called, call in _calls(tree)
        if called == "show"
        for argument in call.args
        for name in _names(argument)
    }


def _checks(tree: ast.AST) -> bool:
    asserts = any(isinstance(node, ast.Assert) for node in ast.walk(tree))
    return asserts or any(called in CHECKS for called, _ in _calls(tree))
