"""Tables that keep themselves: what the appendices have in common."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docutils import nodes
    from sphinx.environment import BuildEnvironment

EXAMPLE = re.compile(r"^(`{4,}).*?^\1|``[^`\n]+`[^\n]*?``", re.MULTILINE | re.DOTALL)
CHAPTER = re.compile(r"\d\d-")


class Table(SphinxDirective):
    """A table whose rows are written in Markdown."""

    columns: tuple[str, ...]

    def run(self) -> list[nodes.Node]:
        """Write the table; the page is made again when any other page changes."""
        for name in self.env.found_docs:
            self.env.note_dependency(str(self.env.doc2path(name)))
        rows = [self.columns, ["---"] * len(self.columns), *self.rows()]
        lines = [f"| {' | '.join(cells)} |" for cells in rows]
        return self.parse_text_to_nodes("\n".join(lines))

    def rows(self) -> Iterator[list[str]]:
        """Yield the cells of each row."""
        raise NotImplementedError

    def beside(self, name: str) -> Path:
        """Return a file in the folder of the page, which is made again with it."""
        file = Path(self.env.doc2path(self.env.docname)).with_name(name)
        self.env.note_dependency(str(file))
        return file

    def pages(self, names: list[str]) -> str:
        """Link to pages, chapters by their numbers."""
        folder = "../" * self.env.docname.count("/")
        return ", ".join(
            f"[{int(name[:2])}]({folder}{name}.md)"
            if CHAPTER.match(name)
            else f"{{doc}}`/{name}`"
            for name in names
        )


def texts(env: BuildEnvironment) -> Iterator[tuple[str, str]]:
    """Yield the pages in order, without examples of how to write them."""
    for name in sorted(env.found_docs):
        text = Path(env.doc2path(name)).read_text(encoding="utf-8")
        yield name, EXAMPLE.sub("", text)


def api_link(name: str) -> str:
    """Link to the API page that has what a room hands out, such as minifast.optim.SGD.

    A page has it under the module that defines it.
    """
    room, _, attribute = name.rpartition(".")
    owner = getattr(__import__(room, fromlist=[attribute]), attribute).__module__
    return f"{{py:obj}}`~{owner}.{attribute}`"
