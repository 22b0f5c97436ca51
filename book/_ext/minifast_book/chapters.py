"""Turn what a docstring says of its chapter into a link to it.

A docstring of the package ends in a line such as ``Book: ch. 01, "One loop".``; on the
API page the chapter's number leads to the chapter.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

NAMED = re.compile(r"\bch\. (?P<number>\d\d)\b")


def link_chapters(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Link the chapters in the lines of a docstring, in place."""
    pages = {page[:2]: page for page in app.env.found_docs if page[:2].isdigit()}

    def link(match: re.Match[str]) -> str:
        page = pages.get(match["number"])
        return f":doc:`{match[0]} </{page}>`" if page else match[0]

    for i, line in enumerate(lines):
        if "Book: ch. " in line:
            lines[i] = NAMED.sub(link, line)
