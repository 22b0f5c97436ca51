"""What a chapter says to its reader: sources, timings, claims and where it ran.

Nothing that was measured is typed into a page. A chapter measures (``measure``), keeps
the figure under a name (``record``), shows it in its prose through that name, and
states what follows from it as a sentence that is checked in every run (``claim``).
Its last cell says where and on what all this happened (``stamp``).

Book: ch. 00, "How a number gets onto a page".
"""

from minifast.book.provenance import Provenance, environment, scale, scale_name, stamp
from minifast.book.results import Claim, claim, record
from minifast.book.source import Listing, show
from minifast.book.tables import Table, table
from minifast.book.timing import (
    Timing,
    format_count,
    format_time,
    measure,
    measure_each,
)

__all__ = [
    "Claim",
    "Listing",
    "Provenance",
    "Table",
    "Timing",
    "claim",
    "environment",
    "format_count",
    "format_time",
    "measure",
    "measure_each",
    "record",
    "scale",
    "scale_name",
    "show",
    "stamp",
    "table",
]
