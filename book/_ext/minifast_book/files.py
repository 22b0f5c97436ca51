"""Read and write small files so that a build beside this one finds them whole."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def read_json(path: Path) -> dict[str, Any]:
    """Return what a file says; nothing if it can't be read."""
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}


def write_json(path: Path, content: object) -> None:
    """Replace a file, in an order that depends on the content alone."""
    text = json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True)
    write_whole(path, text + "\n")


def write_whole(path: Path, text: str) -> None:
    """Replace a file as a whole, so that nobody ever reads half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with part.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
