"""Cells that switch a check off, and the reason that each of them must give.

It stands in the cell's header, ``:reason: ...``. This module looks at sources alone, so
that the chapter lint asks the same as the gate, before anything is executed.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nbformat import NotebookNode

TAGS = ("raises-exception", "skip-execution", "remove-stderr")
SILENCERS = (
    *("simplefilter", "filterwarnings", "catch_warnings", "captureWarnings"),
    *("errstate", "seterr", "redirect_stderr", "disable"),
)
SHELL = re.compile(r"^\s*(?:!|%%(?:bash|sh|script).*--no-raise-error).*", re.MULTILINE)


def unexplained(cell: NotebookNode) -> Iterator[str]:
    """Yield what a code cell switches off without giving a reason."""
    if str(cell.metadata.get("reason", "")).strip():
        return
    tags = cell.metadata.get("tags", [])
    fix = "give a :reason: in the cell's header, or take it away"
    for what in [f"the tag {tag}" for tag in TAGS if tag in tags]:
        yield f"{what} switches a check off: {fix}"
    for name in dict.fromkeys(_silencers(cell.source)):
        yield f"{name}() silences what the page should show: {fix}"
    for command in [*SHELL.findall(cell.source), *_unasked(cell.source)]:
        yield f"nobody asks whether {command.strip()} succeeded: {fix}"
    if _catches_claim(cell.source):
        yield f"claim() stands where its error is caught: {fix}"


def loads_data(sources: Iterable[str]) -> bool:
    """Tell whether a page takes a data set, by what its cells import."""
    return any(
        name.name.startswith(("fetch", "load"))
        for source in sources
        for node in _nodes(source)
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").startswith("minifast.datasets")
        for name in node.names
    )


def _silencers(source: str) -> Iterator[str]:
    for node in _nodes(source):
        if isinstance(node, ast.Call) and _name(node.func) in SILENCERS:
            mode = node.args[0] if node.args else None
            if not (isinstance(mode, ast.Constant) and mode.value == "error"):
                yield _name(node.func)


def _unasked(source: str) -> Iterator[str]:
    """Yield the calls of programs whose exit status is thrown away."""
    for node in _nodes(source):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            name = ast.unparse(node.func)
            checked = any(each.arg == "check" for each in node.keywords)
            if name in ("os.system", "subprocess.call") or (
                name == "subprocess.run" and not checked
            ):
                yield f"{name}()"


def _catches_claim(source: str) -> bool:
    blocks = [node for node in _nodes(source) if _catches(node)]
    inside = [each for node in blocks for part in node.body for each in ast.walk(part)]
    return any(isinstance(n, ast.Call) and _name(n.func) == "claim" for n in inside)


def _catches(node: ast.AST) -> bool:
    if isinstance(node, ast.With):
        calls = [each.context_expr for each in node.items]
        return any(
            isinstance(c, ast.Call) and _name(c.func) == "suppress" for c in calls
        )
    return isinstance(node, ast.Try | ast.TryStar) and bool(node.handlers)


def _name(node: ast.expr) -> str:
    """Return the last part of a dotted name."""
    return getattr(node, "attr", getattr(node, "id", ""))


def _nodes(source: str) -> Iterator[ast.AST]:
    try:
        yield from ast.walk(ast.parse(source))
    except SyntaxError:  # the cell will fail, or holds a magic
        return
