"""The API pages: which names they show, and links from docstrings to chapters.

A page documents the modules of a room, and shows of each what the room hands out, since
that is where names are imported from: the room stands before each name, and below a
callback, the events that it listens to. A docstring ends in a line such as
``Book: ch. 01, "One loop".``; on the page the chapter's number leads to the chapter.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx import addnodes

if TYPE_CHECKING:
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.domains import Domain

OWN_NAMES = ("minifast.datasets.mnist", "minifast.datasets.standin")
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


def name_rooms(app: Sphinx, doctree: nodes.document) -> None:
    """Put before each name the room that it is imported from."""
    for signature in doctree.findall(addnodes.desc_signature):
        module = signature.get("module") or ""
        if module.startswith("minifast") and not signature.get("class"):
            at = signature.first_child_matching_class(addnodes.desc_name) or 0
            signature.insert(at, addnodes.desc_addname("", f"{room_of(module)}."))


def tell_events(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Add to the lines of a callback's docstring what it listens to and wraps."""
    base, events = _protocol()
    if what != "class" or not isinstance(obj, type) or not issubclass(obj, base):
        return
    verbs = [verb for verb in vars(base) if verb.startswith("around_")]
    own = [n for n in (*events, *verbs) if getattr(obj, n) is not getattr(base, n)]
    if own:
        lines += ["", f"Its methods for events: {', '.join(f'``{n}``' for n in own)}."]


def _protocol() -> tuple[type, tuple[str, ...]]:
    learner = sys.modules.get("minifast.learner")
    return getattr(learner, "Callback", _Nothing), getattr(learner, "EVENTS", ())


class _Nothing:
    """Stands for ``Callback`` on a page that does not load it."""


def leave_out(
    app: Sphinx, what: str, name: str, obj: object, skip: bool, options: object
) -> bool | None:
    """Say whether to leave a member out; None leaves the decision to others."""
    module = app.env.temp_data.get("autodoc:module") or ""
    owner = app.env.temp_data.get("autodoc:class") or ""
    hidden = (what == "module" and not is_handed_out(module, name)) or (
        what == "class" and is_told_by_callback(module, owner, name)
    )
    return True if hidden else None


def forgive_foreign_types(
    app: Sphinx, domain: Domain | None, node: pending_xref
) -> bool | None:
    """Say nothing of a type of another package in a signature or a list of arguments.

    There is no page to link it to, and Sphinx looks for one. What somebody wrote as a
    role, in prose or in a docstring, is set as code, and must lead somewhere.
    """
    # autodoc itself writes roles in these two.
    listed = node.parent.astext().startswith(("Bases: ", "alias of "))
    written = isinstance(node.next_node(), nodes.literal) and not listed
    foreign = not node.get("reftarget", "").startswith("minifast.")
    python = domain is not None and domain.name == "py"
    return True if python and foreign and not written else None


def is_handed_out(module: str, name: str) -> bool:
    """Whether a reader imports the name from the room that the module is in.

    The few modules that are imported by their own names hand out all they define.
    """
    if module in OWN_NAMES:
        return True
    room = sys.modules.get(room_of(module))
    return name in getattr(room, "__all__", [name])


def room_of(module: str) -> str:
    """Return from where the names of a module are imported."""
    return module if module in OWN_NAMES else ".".join(module.split(".")[:2])


def is_told_by_callback(module: str, owner: str, name: str) -> bool:
    """Whether it overrides what ``Callback`` has, events above all, and tells there."""
    base, _ = _protocol()
    owner_class = getattr(sys.modules.get(module), owner, None)
    if not isinstance(owner_class, type) or owner_class is base:
        return False
    return issubclass(owner_class, base) and hasattr(base, name)
