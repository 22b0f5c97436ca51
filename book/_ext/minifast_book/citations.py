"""Citations and lists of references as Markdown, from the book's BibTeX file.

On the site sphinxcontrib-bibtex makes both. A notebook has its own: author and year in
the text, and at its end the works cited in it, as the site's bibliography shows them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pybtex.backends.markdown import Backend
from pybtex.plugin import find_plugin
from pybtex.richtext import Text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pybtex.database import BibliographyData, Entry

# The backend escapes all punctuation; that of these needs it nowhere in our list.
ESCAPED = re.compile(r"\\([-.()!#+])")
STYLE = "alpha"  # the default of sphinxcontrib-bibtex
ETC = {"others"}


def cite(works: BibliographyData, keys: Iterable[str], *, textual: bool) -> str:
    """Return a citation: ``(Saxe et al., 2014)``, or ``Saxe et al. (2014)``.

    Args:
        works: All works of the BibTeX file.
        keys: Those cited. One that is missing, which the build tells, stays a key.
        textual: Whether the authors are part of the sentence.
    """
    named = [_authors_and_year(works, key) for key in keys]
    if textual:
        return ", ".join(f"{who} ({year})" if year else who for who, year in named)
    return f"({'; '.join(', '.join(filter(None, each)) for each in named)})"


def references(works: BibliographyData, keys: Iterable[str]) -> str:
    """Return the list of the works cited, in the order of its labels."""
    known = [key for key in dict.fromkeys(keys) if key in works.entries]
    entries = find_plugin("pybtex.style.formatting", STYLE)().format_bibliography(
        works, known
    )
    return "\n".join(f"- {_one_line(each.text.render(Backend()))}" for each in entries)


def _one_line(text: str) -> str:
    return ESCAPED.sub(r"\1", " ".join(text.split()))


def _authors_and_year(works: BibliographyData, key: str) -> tuple[str, str]:
    if key not in works.entries:
        return key, ""
    entry = works.entries[key]
    return _authors(entry), entry.fields.get("year", "")


def _authors(entry: Entry) -> str:
    people = entry.persons.get("author") or entry.persons.get("editor") or []
    names = [
        " ".join(map(str, [*each.rich_prelast_names, *each.rich_last_names]))
        for each in people
    ]
    if not names:
        return str(Text.from_latex(entry.fields.get("title", entry.key)))
    if len(names) > 2 or names[-1] in ETC:
        return f"{names[0]} et al."
    return " and ".join(names)
