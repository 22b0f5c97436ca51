"""Data sets: get them, check them, and know whether they are the real ones.

``fetch("mnist")`` returns a folder, and with it what is in there and where it came
from. The environment decides what a reader accepts (``MINIFAST_DATA``), where else to
look (``MINIFAST_MIRROR``) and where the data is kept (``MINIFAST_CACHE``). The command
``minifast data`` does the same in a shell.

Nothing here needs torch; ``minifast.datasets.mnist``, which reads MNIST into tensors,
is therefore imported by its own name.

Book: ch. 00, "The data".
"""

from minifast.datasets.cache import cache_folder
from minifast.datasets.fetching import available, data_mode, fetch, verify
from minifast.datasets.mirror import mirrors
from minifast.datasets.registry import (
    DATASETS,
    DatasetInfo,
    DatasetPath,
    RemoteFile,
    find_dataset,
)

__all__ = [
    "DATASETS",
    "DatasetInfo",
    "DatasetPath",
    "RemoteFile",
    "available",
    "cache_folder",
    "data_mode",
    "fetch",
    "find_dataset",
    "mirrors",
    "verify",
]
