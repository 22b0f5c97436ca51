"""Which real data sets can be had without asking the network.

A chapter that once ran on stand-ins must run again when the real data is there. So what
its outputs depend on says which sets the package finds in its cache and in the mirrors
on this machine: of those that the chapter uses, as far as its code tells.
"""

from __future__ import annotations

import os

from minifast.datasets import DATASETS, available

ANY = "minifast.datasets.fetching"  # reached by whoever gets data by a name


def describe(code: str, reached: dict[str, str]) -> str:
    """Name each set that a page uses and can have, with the beginning of its checksum.

    Args:
        code: The code cells of the page.
        reached: What they reach, by name.
    """
    if os.environ.get("MINIFAST_DATA") == "standin":
        return "not asked for"
    text = " ".join([code, *reached]).lower()
    used = {name for name in DATASETS if name.split("-")[0] in text}
    if not used and ANY not in reached:
        return "none used"
    return ", ".join(
        f"{name} {digest}"
        for name, digest in sorted(available().items())
        if not used or name in used or name not in DATASETS
    )
