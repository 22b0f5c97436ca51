"""Which recorded numbers and claims moved in the last build that changed any.

``results.json`` of the build before is kept beside the site. ``make diff`` runs this
file as a program: ``python moved.py _build/html``.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

RESULTS = "results.json"
PREVIOUS = "results.previous.json"


def keep_previous(site: Path) -> None:
    """Set the results of the last build aside, before a new build replaces them."""
    if (site / RESULTS).exists():
        shutil.copyfile(site / RESULTS, site.parent / f".{RESULTS}")


def settle_previous(site: Path) -> None:
    """Let those count as the previous ones if the new results differ from them."""
    aside = site.parent / f".{RESULTS}"
    if aside.exists():
        if aside.read_bytes() != (site / RESULTS).read_bytes():
            aside.replace(site.parent / PREVIOUS)
        aside.unlink(missing_ok=True)


def compare(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return one line for each number and claim that is not as it was."""
    lines = []
    for page in sorted(before.keys() | after.keys()):
        then, now = before.get(page, {}), after.get(page, {})
        found = [*_records(then, now), *_claims(then, now)]
        lines += [page, *(f"  {line}" for line in found)] if found else []
    return lines


def _records(then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    old, new = then.get("records", {}), now.get("records", {})
    lines = []
    for name in sorted(old.keys() | new.keys()):
        texts = [each[name]["text"] if name in each else "none" for each in (old, new)]
        if old.get(name) != new.get(name):
            values = [each.get(name, {}).get("value") for each in (old, new)]
            lines.append(f"{name}: {texts[0]} -> {texts[1]}{_ratio(*values)}")
    return lines


def _ratio(old: object, new: object) -> str:
    numbers = isinstance(old, int | float) and isinstance(new, int | float)
    return f"  ({new / old - 1:+.1%})" if numbers and old else ""  # type: ignore


def _claims(then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    old, new = then.get("claims", []), now.get("claims", [])
    gone = [f"no longer claimed: {each}" for each in old if each not in new]
    return gone + [f"claimed now: {each}" for each in new if each not in old]


def main(site: Path) -> int:
    """Print what moved; return 1 if there is nothing to compare."""
    files = [site.parent / PREVIOUS, site / RESULTS]
    try:
        before, after = (json.loads(each.read_text(encoding="utf-8")) for each in files)
    except (OSError, ValueError):
        sys.stdout.write("There are no two builds with different results to compare.\n")
        return 1
    sys.stdout.write("\n".join(compare(before, after) or ["Nothing moved."]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
