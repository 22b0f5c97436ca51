"""Data sets, samplers, collation and data loaders: from samples to batches.

``DataLoader`` reads any data set sample by sample; ``TensorLoader`` cuts batches out of
tensors that are in memory already, on whichever device they are. ``DataLoaders`` holds
one for training and one for validation. All take a ``torch.Generator``: the same seed
gives the same orders, from either loader, with any number of workers.

Book: ch. 08.
"""

from minifast.data.collation import collate
from minifast.data.datasets import MapDataset, TensorDataset
from minifast.data.loaders import DataLoader, DataLoaders, TensorLoader
from minifast.data.randomness import generators_of
from minifast.data.samplers import BatchSampler, Sampler, SizedIterable

__all__ = [
    "BatchSampler",
    "DataLoader",
    "DataLoaders",
    "MapDataset",
    "Sampler",
    "SizedIterable",
    "TensorDataset",
    "TensorLoader",
    "collate",
    "generators_of",
]
