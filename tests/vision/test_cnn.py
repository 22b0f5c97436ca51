import pickle
from functools import partial

import pytest
import torch

from minifast.errors import OptionError
from minifast.nn import GeneralReLU
from minifast.vision import simple_cnn


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"norm": "batch"},
        {"norm": "group", "norm_last": True},
        {"activation": partial(GeneralReLU, leak=0.1, sub=0.4)},
        {"in_channels": 3, "n_classes": 7, "widths": (4, 8)},
    ],
)
def test_it_makes_scores_of_images_and_survives_pickle(options):
    model = simple_cnn(**options).eval()
    x = torch.randn(2, options.get("in_channels", 1), 28, 28)
    assert model(x).shape == (2, options.get("n_classes", 10))
    assert torch.equal(pickle.loads(pickle.dumps(model))(x), model(x))


def test_its_blocks_halve_the_maps():
    model, x = simple_cnn(), torch.zeros(1, 1, 28, 28)
    sizes = [(x := block(x)).shape[1:] for block in model[:4]]
    assert [tuple(size) for size in sizes] == [
        (8, 14, 14),
        (16, 7, 7),
        (32, 4, 4),
        (32, 2, 2),
    ]


def test_no_widths_are_refused():
    with pytest.raises(OptionError, match="at least one convolution"):
        simple_cnn(())
    with pytest.raises(OptionError, match="n_classes"):
        simple_cnn(n_classes=0)
