import pytest
import torch
from torch import nn

from minifast.data.loaders import DataLoaders
from minifast.learner import Learner


@pytest.fixture
def make_learner():
    """Return what makes a small Learner: regression, batches of 4 in lists."""

    def make(*cbs, n_train=3, n_valid=2, opt=torch.optim.SGD, lr=0.1, kind=Learner):
        generator = torch.Generator().manual_seed(0)

        def batches(n):
            x = torch.randn(n, 4, 3, generator=generator)
            return [(row, row.sum(1, keepdim=True)) for row in x]

        model = nn.Linear(3, 1)
        with torch.no_grad():
            model.weight.fill_(0.1)
            model.bias.fill_(0.0)
        dls = DataLoaders(batches(n_train), batches(n_valid) if n_valid else None)
        return kind(model, dls, nn.functional.mse_loss, opt, lr=lr, cbs=cbs)

    return make
