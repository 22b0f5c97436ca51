"""Data sets: get them, check them, and know whether they are the real ones.

``fetch("mnist")`` returns a folder, and with it what is in there and where it came
from; ``load_mnist()`` returns tensors. The environment decides what a reader accepts
(``MINIFAST_DATA``), where else to look (``MINIFAST_MIRROR``) and where the data is kept
(``MINIFAST_CACHE``). The command ``minifast data`` does the same in a shell.

Book: ch. 00, "The data".
"""

from minifast.data.dataset_path import DatasetPath
from minifast.data.datasets import DATASETS, Dataset, RemoteFile, find_dataset
from minifast.data.fetch import data_mode, fetch
from minifast.data.mnist import MNIST, load_mnist
from minifast.data.verify import verify

__all__ = [
    "DATASETS",
    "MNIST",
    "Dataset",
    "DatasetPath",
    "RemoteFile",
    "data_mode",
    "fetch",
    "find_dataset",
    "load_mnist",
    "verify",
]
