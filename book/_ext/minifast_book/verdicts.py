"""Remember which pages are in order, so that a build reads only what it must.

Sphinx warns of a fault when it reads or writes the page that has it; the next build
would take the page for unchanged and be green. So ``pages.json``, beside Sphinx's own
memory, says of each page what its outputs depend on and whether it gave rise to a
warning. A page that did, or that was being read when a build broke off, is read again.
"""

from __future__ import annotations

import copy
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sphinx.util.logging import WarningLogRecordTranslator, WarningSuppressor

from minifast_book.cache import executed_notebook, forced
from minifast_book.files import read_json, write_json
from minifast_book.reach import digest

if TYPE_CHECKING:
    from sphinx.application import Sphinx

    from minifast_book.cache import Outputs


class Verdicts:
    """What is known of each page, from the last build and from this one."""

    def __init__(self) -> None:
        self.pages: dict[str, dict[str, Any]] = {}
        self.targets = ""  # digest of what pages refer to, when all were written
        self.before: dict[str, dict[str, Any]] = {}
        self.read: set[str] = set()

    def listen(self, app: Sphinx) -> None:
        """Hear Sphinx's warnings from now on."""
        self.file = Path(app.doctreedir) / "pages.json"
        known = read_json(self.file)
        self.pages, self.targets = known.get("pages", {}), known.get("targets", "")
        self.before = copy.deepcopy(self.pages)
        self.warned = Warned(app)
        logging.getLogger("sphinx").addHandler(self.warned)

    def outdated(self, app: Sphinx, outputs: Outputs) -> set[str]:
        """Return the pages that must be read, although their sources are unchanged."""
        names = app.env.found_docs
        return {name for name in names if self.is_outdated(app, outputs, name)}

    def is_outdated(self, app: Sphinx, outputs: Outputs, name: str) -> bool:
        """Whether a page must be read, in any case or for its outputs."""
        known = self.pages.get(name, {})
        if not known.get("clean"):
            return True
        if "facts" not in known:
            return False
        source = Path(app.env.doc2path(name))
        now = outputs.depends_on(source.read_text(encoding="utf-8"), source.parent)
        same = outputs.key(now) == known["key"] and not forced()
        return not same or seal(executed_notebook(app, name)) != known["seal"]

    def begin(self, names: set[str], present: set[str]) -> None:
        """Doubt all pages that are about to be read, in case the build breaks off."""
        self.read |= names
        self.pages = {name: of for name, of in self.pages.items() if name in present}
        for name in names:
            self.pages[name] = {**self.pages.get(name, {}), "clean": False}
        if names:
            self.targets, targets = "", self.targets
            self.save()
            self.targets = targets

    def reason(self, name: str, of: dict[str, Any]) -> str:
        """Say why a page is executed: what of its facts has changed."""
        then = self.before.get(name, {}).get("facts")
        if then is None:
            return "new"
        changed = _differing(_flat(then), _flat(of))
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        return f"changed: {', '.join(changed[:3])}{more}" if changed else "again"

    def note(self, app: Sphinx, name: str, of: dict[str, Any], key: str) -> None:
        """Note what the outputs of a page depend on, when it has been read."""
        path = executed_notebook(app, name)
        self.pages[name] |= {"facts": of, "key": key, "seal": seal(path)}

    def forget(self, name: str) -> None:
        """Note that a page that has been read has no code cells."""
        self.pages[name] = {"clean": False}

    def facts(self, names: list[str]) -> dict[str, dict[str, Any]]:
        """Return what outputs depend on; myst-nb also executes pages without cells."""
        known = {name: self.pages[name] for name in names}
        return {name: of["facts"] for name, of in known.items() if "facts" in of}

    def save_clean(self) -> None:
        """Note at the end which pages are known to be without a warning."""
        for name, of in self.pages.items():
            read = of["clean"] or name in self.read
            of["clean"] = read and not self.warned.concern(name)
        self.save()

    @property
    def all_clean(self) -> bool:
        """Whether no page has given rise to a warning, in this build or before."""
        return not self.warned.all and all(of["clean"] for of in self.pages.values())

    def stop_listening(self) -> None:
        """Hear no more warnings."""
        logging.getLogger("sphinx").removeHandler(self.warned)

    def save(self) -> None:
        """Write it all down."""
        write_json(self.file, {"pages": self.pages, "targets": self.targets})


class Warned(logging.Handler):
    """Collects the pages that warnings are about."""

    def __init__(self, app: Sphinx) -> None:
        super().__init__(logging.WARNING)
        self.app = app
        self.translate = WarningLogRecordTranslator(app)
        self.addFilter(WarningSuppressor(app))
        self.pages: set[str] = set()
        self.all = False

    def emit(self, record: logging.LogRecord) -> None:
        """Note the page of a warning; one without a page concerns all of them."""
        if getattr(record, "book_page", None):  # Sphinx hands some on a second time
            return
        record.book_page = True
        copied = copy.copy(record)
        self.translate.filter(copied)  # type: ignore[arg-type]
        place = str(getattr(copied, "location", "") or "").split(":")[0]
        name = self.app.env.path2doc(place) if place else None
        if name not in self.app.env.found_docs:
            name = self.app.env.temp_data.get("docname")
        if name:
            self.pages.add(name)
        else:
            self.all = True

    def concern(self, name: str) -> bool:
        """Whether any warning was about this page."""
        return self.all or name in self.pages


def seal(path: Path) -> str:
    """Return a digest of a file; empty if it can't be read."""
    try:
        return digest(path.read_bytes())
    except OSError:
        return ""


def _flat(of: dict[str, Any]) -> dict[str, str]:
    own = {name: value for name, value in of.items() if name != "reaches"}
    return own | of.get("reaches", {})


def _differing(then: dict[str, str], now: dict[str, str]) -> list[str]:
    names = sorted(then.keys() | now.keys())
    return [name for name in names if then.get(name) != now.get(name)]
