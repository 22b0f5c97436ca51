"""What a built page refers to: nothing of other hosts is loaded, no link is dead.

Each fault comes with the piece of text by which its line is found in the source.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from minifast_book.markup import Element, elements, target

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    Fault = tuple[str, str]

LOADING = ("src", "poster", "data", "background")  # and more, depending on the element
INERT = {"canonical", "next", "prev", "index", "search", "author", "license", "help"}
IN_STYLE = re.compile(r"(?:url\(\s*|@import\s+)[\"']?([^\"')\s]+)", re.IGNORECASE)
NO_SCRIPT = re.compile(r"json|template|^text/plain$")
FORMULA = re.compile(r'class="math [^>]*>(?P<tex>[^<]*)')
TEX_REFERENCE = re.compile(r"\\(?:eq)?ref\s*{[^}]*}")


def find_faults(page: Path) -> Iterator[Fault]:
    """Yield what is wrong with the elements of a page, and where to look for it."""
    for element in elements(page):
        for address in loads(element):
            if _is_foreign(address):
                yield f"<{element.tag}> loads from another host: {address}", address
        if element.own:
            yield from _scripts(element)
    for element, inside in pairwise([*elements(page), Element("")]):
        if element.own and element.tag == "svg" and not _described(element, inside):
            yield "an <svg> has neither a <title> nor an aria-label", "<svg"
    titles = sum(each.own and each.tag == "h1" for each in elements(page))
    if titles > 1:
        yield f"{titles} headings of the first level; a page has one title", ""
    for formula in FORMULA.finditer(page.read_text(encoding="utf-8")):
        for found in TEX_REFERENCE.findall(formula["tex"]):
            yield f"a formula shows ??? for {found}; write {{eq}}`label`", found
    named = Counter(each.attrs["id"] for each in elements(page) if each.attrs.get("id"))
    for name, times in named.items():
        if times > 1:
            yield f"{times} elements of the page have the id {name!r}", name


def _described(svg: Element, inside: Element) -> bool:
    names = ("aria-label", "aria-labelledby", "aria-hidden")
    return inside.tag == "title" or any(svg.attrs.get(name) for name in names)


def find_dead(page: Path) -> Iterator[Fault]:
    """Yield the links that lead nowhere within the site."""
    addresses = [
        address
        for each in elements(page)
        for address in (each.attrs.get("href"), *loads(each))
        if address
    ]
    for address in dict.fromkeys(addresses):
        if address.startswith("/") and not address.startswith("//"):
            yield f"a link begins at the root of the host: {address}", address
        elif _is_dead(page, address):
            yield f"a link leads nowhere: {address}", address


def loads(element: Element) -> list[str]:
    """Return the addresses that a browser loads because of an element."""
    attrs = element.attrs
    found = [attrs[name] for name in LOADING if attrs.get(name)]
    found += [each.split()[0] for each in attrs.get("srcset", "").split(",") if each]
    if element.tag == "link" and INERT.isdisjoint(attrs.get("rel", "").split()):
        found += [attrs.get("href", "")]
    if element.tag in ("image", "use", "feimage"):  # of an SVG in the page
        found += [attrs.get("href", ""), attrs.get("xlink:href", "")]
    style = element.text if element.tag == "style" else attrs.get("style", "")
    return [each for each in [*found, *IN_STYLE.findall(style)] if each]


def _scripts(element: Element) -> Iterator[Fault]:
    is_script = not NO_SCRIPT.search(element.attrs.get("type", ""))
    if element.tag == "script" and is_script and "src" not in element.attrs:
        first = element.text.strip().partition("\n")[0]
        yield "a script in the page: it belongs into _static", first
    for name, value in element.attrs.items():
        in_address = name in ("href", "src") and value.lower().startswith("javascript:")
        if name.startswith("on") or in_address:
            sought = value if in_address else f"{name}="
            yield f"a script in the attribute {name} of <{element.tag}>", sought


def _is_foreign(address: str) -> bool:
    parts = urlsplit(address)
    return bool(parts.netloc) or parts.scheme in ("http", "https", "ftp")


def _is_dead(page: Path, address: str) -> bool:
    file, fragment = target(page, address), unquote(urlsplit(address).fragment)
    if file is None:
        return False
    if not file.is_file():
        return True
    if not fragment or file.suffix != ".html":
        return False
    named = ((each.attrs.get("id"), each.attrs.get("name")) for each in elements(file))
    return not any(fragment in names for names in named)
