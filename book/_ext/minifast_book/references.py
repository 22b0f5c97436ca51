"""Where references lead: numbers of figures and equations, addresses on the site.

Sphinx has resolved them on the pages. In what leaves the site, such as a notebook, they
have to stand as text, or as links to the published site.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from docutils.nodes import make_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment


@dataclass(frozen=True)
class References:
    """What can be referred to in the book; empty where nothing is known of it.

    Attributes:
        site: Address of the published site, with a slash at its end.
        titles: Title of each page.
        places: Page and anchor of each label, and of each documented Python name.
        numbers: What a reference to a label reads as, such as "Fig. 3.2" or "(4.3)".
    """

    site: str = ""
    titles: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    numbers: Mapping[str, str] = field(default_factory=dict)

    def page_address(self, page: str, anchor: str = "") -> str:
        """Return the address of a page; empty if the book has no such page or site."""
        if not self.site or page not in self.titles:
            return ""
        return f"{self.site}{page}.html" + (f"#{anchor}" if anchor else "")

    def label_address(self, label: str) -> str:
        """Return the address of a label or a Python name; empty if unknown."""
        return self.page_address(*self.places.get(label, ("", "")))

    def image_address(self, path: str) -> str:
        """Return the address of an image of the sources; empty without a site."""
        return f"{self.site}_images/{posixpath.basename(path)}" if self.site else ""


def find_references(app: Sphinx) -> References:
    """Collect them from what Sphinx knows when all pages are read."""
    env = app.env
    labels = dict(env.domaindata["std"]["anonlabels"])
    equations = {
        label: (page, make_id(f"equation-{label}"))
        for label, (page, _) in env.domaindata["math"]["objects"].items()
    }
    names = {
        name: (each.docname, each.node_id)
        for name, each in env.domaindata["py"]["objects"].items()
    }
    base = app.config.html_baseurl
    return References(
        site=f"{base.rstrip('/')}/" if base else "",
        titles={page: title.astext() for page, title in env.titles.items()},
        places=names | labels | equations,
        numbers=dict(_numbers(env, labels | equations)),
    )


def _numbers(
    env: BuildEnvironment, places: Mapping[str, tuple[str, str]]
) -> Iterator[tuple[str, str]]:
    words = {"displaymath": "(%s)"} | env.config.numfig_format
    for label, (page, anchor) in places.items():
        for kind, numbers in env.toc_fignumbers.get(page, {}).items():
            if anchor in numbers and kind in words:
                number = ".".join(map(str, numbers[anchor]))
                yield label, words[kind] % number
