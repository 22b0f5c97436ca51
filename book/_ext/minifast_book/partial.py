"""References of a single chapter to pages that were left out: told from faults.

``make chapter`` builds one page, strictly. What it refers to on other pages can't be a
link there, but must exist: as a page, as a label in the source of another page, or as a
name that the package hands out.
"""

from __future__ import annotations

import importlib
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sphinx.addnodes import pending_xref
from sphinx.transforms.post_transforms import SphinxPostTransform

from minifast_book.chapters import is_handed_out

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

LABELS = re.compile(
    r"^\((?P<target>[^)\s]+)\)=\s*$"
    r"|^:(?:label|name): *(?P<option>\S+)"
    r"|\b(?:name|label): *(?P<key>[\w-]+)"
    r"|\$\$ *\((?P<equation>[^)\s]+)\)",
    re.MULTILINE,
)
TERM = re.compile(r"^(?P<term>\S.*)\n  +\S", re.MULTILINE)


class LeaveOutside(SphinxPostTransform):
    """Turns Markdown links to what was left out into text, before MyST sees them."""

    default_priority = 8

    def run(self, **kwargs: object) -> None:
        """Replace the links of one page."""
        for node in list(self.document.findall(pending_xref)):
            if node["reftype"] == "myst" and self.is_outside(node):
                node.replace_self(node[0].deepcopy())

    def is_outside(self, node: pending_xref) -> bool:
        """Whether a link leads to a page or a label that was left out."""
        target = node["reftarget"]
        if node["refdomain"] == "doc":
            return target not in self.env.all_docs and is_page(self.env, target)
        known = self.env.domaindata["std"]["anonlabels"]
        return target not in known and target in labels_outside(self.env)


def excuse(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, contnode: nodes.TextElement
) -> nodes.TextElement | None:
    """Return the text of a reference that leads to what was left out; else None."""
    target, kind = node["reftarget"], node["reftype"]
    if node.get("refdomain") == "py":
        exists = is_documented(target)
    elif kind == "doc":
        exists = is_page(env, str(Path(node.get("refdoc", "")).parent / target))
    elif kind == "term":
        exists = target.lower() in terms_outside(env)
    else:
        exists = target in labels_outside(env)
    return contnode if exists else None


def is_page(env: BuildEnvironment, name: str) -> bool:
    """Whether there is such a page, in the build or not."""
    return (Path(env.srcdir) / f"{name}.md").resolve().is_file()


def is_documented(name: str) -> bool:
    """Whether the API pages have an entry for a module, or for what it hands out."""
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:cut]))
        except ImportError:
            continue
        rest = parts[cut:]
        for each in rest:
            found = getattr(found, each, None)
        return found is not None and (
            not rest or is_handed_out(".".join(parts[:cut]), rest[0])
        )
    return False


def labels_outside(env: BuildEnvironment) -> frozenset[str]:
    """Return the labels in the sources of pages that were left out."""
    text = _text_outside(Path(env.srcdir), frozenset(env.found_docs))
    found = (match.groups() for match in LABELS.finditer(text))
    return frozenset(label for groups in found for label in groups if label)


def terms_outside(env: BuildEnvironment) -> frozenset[str]:
    """Return the glossary's terms, in lower case."""
    text = _text_outside(Path(env.srcdir), frozenset(env.found_docs))
    return frozenset(match["term"].lower() for match in TERM.finditer(text))


@cache
def _text_outside(folder: Path, inside: frozenset[str]) -> str:
    files = [
        file
        for file in sorted(folder.rglob("*.md"))
        if file.relative_to(folder).with_suffix("").as_posix() not in inside
    ]
    return "\n".join(file.read_text(encoding="utf-8") for file in files)
