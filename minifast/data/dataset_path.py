"""A data set on disk, with what a reader must know about it: is it the real one?

Book: ch. 00, "The data".
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path

SourceKind = Literal["origin", "mirror", "stand-in"]


@dataclass(frozen=True)
class DatasetPath:
    """The folder of a data set, and where its content came from.

    It can be used like a path: ``data / "train"``, ``open(data / "README")``,
    ``os.fspath(data)`` and ``str(data)`` all mean the folder.

    Args:
        path: The folder.
        name: The data set's name in the registry.
        real: False for a stand-in.
        note: What the content is, in one line.
        sha256: Digest of the content (see :mod:`minifast.data.checksum`).
        source: Where the content came from.

    Example:
        >>> from pathlib import Path
        >>> sha256 = "8d42" * 16
        >>> data = DatasetPath(Path("d"), "mnist", True, "4 files", sha256, "origin")
        >>> data
        mnist: real, origin, sha256 8d428d428d42; 4 files
        >>> (data / "train").as_posix()
        'd/train'
    """

    path: Path
    name: str
    real: bool
    note: str
    sha256: str
    source: SourceKind

    def __truediv__(self, inner: str | Path) -> Path:
        return self.path / inner

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return self.provenance()

    def provenance(self) -> str:
        """Say in one line what this data is, for the footer of a page."""
        origin = f"real, {self.source}" if self.real else "stand-in, not the real data"
        return f"{self.name}: {origin}, sha256 {self.sha256[:12]}; {self.note}"

    def _repr_html_(self) -> str:
        origin = f"real, {self.source}" if self.real else "stand-in, not the real data"
        return (
            f"<p><strong>{escape(self.name)}</strong> ({origin}): {escape(self.note)}. "
            f"sha256 <code>{self.sha256[:12]}</code></p>"
        )
