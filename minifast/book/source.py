"""Listings of the package's own source, as imported in the run that built the page.

Book: ch. 00, "The page and the package".
"""

from __future__ import annotations

import ast
import html
import inspect
import textwrap
from dataclasses import dataclass
from typing import Any


def show(*objects: Any, docstrings: bool = False) -> Listing:
    """Show the current source of functions and classes of the package.

    What a page prints this way is what was imported in the run that built it: the page
    cannot drift from the package.

    Args:
        objects: Functions, classes or methods.
        docstrings: Whether to print docstrings whole; otherwise their first line only.

    Returns:
        An object that a notebook shows as highlighted source with file and lines.

    Book: ch. 00, "The page and the package".
    """
    return Listing(tuple(_source(each, docstrings) for each in objects))


@dataclass(frozen=True)
class Listing:
    """Source code with its place in the package."""

    parts: tuple[tuple[str, str], ...]

    def __repr__(self) -> str:
        """Write it for a terminal."""
        return "\n\n".join(f"# {title}\n{code}" for title, code in self.parts)

    def _repr_html_(self) -> str:
        from pygments import highlight
        from pygments.formatters import HtmlFormatter
        from pygments.lexers import PythonLexer

        return "".join(
            f'<div class="show"><div class="show-title">{html.escape(title)}</div>'
            f"{highlight(code, PythonLexer(), HtmlFormatter())}</div>"
            for title, code in self.parts
        )


def _source(each: Any, docstrings: bool) -> tuple[str, str]:
    lines, first = inspect.getsourcelines(each)
    code = textwrap.dedent("".join(lines))
    place = inspect.unwrap(each).__module__.replace(".", "/") + ".py"
    title = f"{place}, lines {first} to {first + len(lines) - 1}"
    return title, (code if docstrings else _shorten_docstrings(code)).rstrip()


def _shorten_docstrings(code: str) -> str:
    lines = code.splitlines()
    tree = ast.walk(ast.parse(code))
    for node in sorted(tree, key=lambda node: -getattr(node, "lineno", 0)):
        if not isinstance(node, ast.FunctionDef | ast.ClassDef):
            continue
        text = ast.get_docstring(node)
        if text and "\n" in text:
            place = node.body[0]
            short = " " * place.col_offset + f'"""{text.splitlines()[0]}"""'
            lines[place.lineno - 1 : place.end_lineno] = [short]
    return "\n".join(lines)
