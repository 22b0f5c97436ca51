"""Keep the outputs of executed pages in a folder named by what they depend on.

``_build/.jupyter_cache`` holds one folder a fingerprint, the last few of them, each
with a ``facts.json`` that says what its name stands for.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_cache import get_cache

from minifast_book.console import say
from minifast_book.fingerprint import facts, fingerprint
from minifast_book.surroundings import settle

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sphinx.application import Sphinx
    from sphinx.config import Config

    from minifast_book.harvest import Page

KEPT = 5  # folders of earlier fingerprints, so that going back to a branch is quick
FACTS = "facts.json"


def choose(app: Sphinx, config: Config) -> None:
    """Choose the folder, and settle the surroundings in which chapters run."""
    build = Path(app.outdir).parent
    settle(build)
    base = Path(os.environ.get("BOOK_CACHE") or build / ".jupyter_cache").absolute()
    now = facts()
    folder = base / (os.environ.get("BOOK_FINGERPRINT") or fingerprint(now))
    if os.environ.get("BOOK_EXECUTE") == "force":
        shutil.rmtree(folder, ignore_errors=True)
    _announce(base, folder, now)
    folder.mkdir(parents=True, exist_ok=True)
    if not rebuilding():
        (folder / FACTS).write_text(json.dumps(now, indent=1) + "\n")
    os.utime(folder)
    _prune(base)
    config.nb_execution_cache_path = str(folder)


def keep(app: Sphinx) -> None:
    """Rename the folder if executing the chapters has brought data to this machine.

    The first build fetches real data; without this, the second would find other facts
    than the first began with, and execute everything again.
    """
    folder = Path(app.config.nb_execution_cache_path)
    if rebuilding() or not folder.exists():
        return
    then, now = json.loads((folder / FACTS).read_text()), facts()
    changed = [name for name in now if now[name] != then.get(name)]
    target = folder.parent / fingerprint(now)
    if changed == ["real data"] and not target.exists():
        (folder / FACTS).write_text(json.dumps(now, indent=1) + "\n")
        folder.rename(target)
        app.config.nb_execution_cache_path = str(target)


def forget(app: Sphinx, pages: Iterable[Page]) -> None:
    """Drop what a rebuild executed after all: it is not of the machine it claims."""
    if rebuilding():
        cache = get_cache(app.config.nb_execution_cache_path)
        for page in pages:
            if page.fresh and page.record is not None:
                cache.remove_cache(page.record)


def rebuilding() -> bool:
    """Tell whether a published site is rebuilt from its outputs."""
    return bool(os.environ.get("BOOK_FINGERPRINT"))


def _announce(base: Path, folder: Path, now: dict[str, str]) -> None:
    if folder.exists():
        say(f"Outputs kept under {folder.name} serve for unchanged cells.")
        return
    earlier = _by_age(base)
    then = json.loads((earlier[-1] / FACTS).read_text()) if earlier else {}
    changed = [name for name in now if now[name] != then.get(name)]
    reason = f"changed since the last build: {', '.join(changed)}" if then else "new"
    say(f"Outputs will be kept under {folder.name} ({reason}).")


def _prune(base: Path) -> None:
    for folder in _by_age(base)[: -KEPT - 1]:
        shutil.rmtree(folder)


def _by_age(base: Path) -> list[Path]:
    """Return the folders of outputs, the one used last at the end."""
    folders = [path.parent for path in base.glob(f"*/{FACTS}")]
    return sorted(folders, key=lambda folder: folder.stat().st_mtime)
