"""From samples to batches: data sets, orders, collating, loaders.

``DataLoader`` reads any data set sample by sample; ``TensorLoader`` cuts batches out of
tensors that are in memory already, on whichever device they are. ``DataLoaders`` holds
one for training and one for validation. All take a ``torch.Generator``: the same seed
gives the same order, from either loader, with or without workers.

Book: ch. 08.
"""

from minifast.data.loaders.collation import collate
from minifast.data.loaders.data_loader import DataLoader
from minifast.data.loaders.dataset import Dataset
from minifast.data.loaders.samplers import BatchSampler, Sampler
from minifast.data.loaders.tensor_loader import TensorLoader
from minifast.data.loaders.train_valid import DataLoaders

__all__ = [
    "BatchSampler",
    "DataLoader",
    "DataLoaders",
    "Dataset",
    "Sampler",
    "TensorLoader",
    "collate",
]
