"""Which real data sets can be had without asking the network.

A chapter that once ran on stand-ins must run again when the real data is there. So the
name of the outputs' folder says which sets the package finds in its cache and in the
mirrors on this machine.
"""

from __future__ import annotations

import os

from minifast.datasets import available


def describe() -> str:
    """Name each set that can be had, with the beginning of its checksum."""
    if os.environ.get("MINIFAST_DATA") == "standin":
        return "not asked for"
    return ", ".join(f"{name} {digest}" for name, digest in sorted(available().items()))
