"""The sentence that leads to the whole book as one PDF file, or says how to print it.

``make pdf`` prints the built site; so the file is made after the page that links to it.
A workflow that publishes it beside the site says so by the environment variable
``BOOK_PDF=1``; the address is that of the site, and without one there is no link.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.config import Config

FILE = "book.pdf"


class PdfEdition(SphinxDirective):
    """Tell where the whole book is one file: the directive ``{pdf-edition}``."""

    def run(self) -> list[nodes.Node]:
        """Return one sentence."""
        return [sentence(self.config.pdf_address)]


def note_address(app: Sphinx, config: Config) -> None:
    """Set ``pdf_address``: empty if the file is not going to be published."""
    published = os.environ.get("BOOK_PDF") == "1" and config.html_baseurl
    config.pdf_address = f"{config.html_baseurl}{FILE}" if published else ""


def sentence(address: str) -> nodes.paragraph:
    """Return the sentence, with a link if there is an address."""
    if not address:
        command = nodes.literal("", "make pdf")
        end = nodes.Text(" prints the whole book into one PDF file.")
        return nodes.paragraph("", "", command, end)
    link = nodes.reference("", "one PDF file", refuri=address, internal=False)
    begin = nodes.Text("The whole book is also ")
    return nodes.paragraph("", "", begin, link, nodes.Text(", printed from this site."))
