"""The tools of the book's chapters: timings, claims, tables, sources, provenance.

Nothing that was measured is typed into a page. A chapter measures (``measure``), keeps
the figure under a name (``record``), shows it in its prose through that name, and
states what follows from it as a sentence that is checked in every run (``claim``).
Its last cell says where and on what all this happened (``stamp``).

Book: ch. 00, "How a number gets onto a page".
"""

from minifast.book.machine import (
    cpu_name,
    environment,
    gpu_name,
    in_notebook,
    wait_for_gpu,
)
from minifast.book.provenance import Provenance, scale, scale_name, stamp
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
    "cpu_name",
    "environment",
    "format_count",
    "format_time",
    "gpu_name",
    "in_notebook",
    "measure",
    "measure_each",
    "record",
    "scale",
    "scale_name",
    "show",
    "stamp",
    "table",
    "wait_for_gpu",
]
