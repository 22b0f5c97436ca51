import pytest
import torch
import torch.nn.functional as F

from minifast.errors import DTypeError, OptionError, ShapeError
from minifast.foundations import (
    conv2d_loops,
    conv2d_matrix,
    conv2d_unfold,
    conv_size,
    unfold,
)

WAYS = [conv2d_loops, conv2d_unfold]
SETTINGS = [
    {},
    {"stride": 2},
    {"padding": 1},
    {"stride": 3, "padding": 2},
    {"groups": 2, "padding": 1},
    {"groups": 4},
]


def drawn(*shape, dtype=torch.float64):
    return torch.randn(shape, dtype=dtype, requires_grad=True)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("options", SETTINGS)
def test_results_and_gradients_are_those_of_torch(way, options):
    x, bias = drawn(2, 4, 7, 6), drawn(8)
    weight = drawn(8, 4 // options.get("groups", 1), 3, 2)
    ours, torchs = way(x, weight, bias, **options), F.conv2d(x, weight, bias, **options)
    torch.testing.assert_close(ours, torchs, rtol=0, atol=1e-10)
    grad = torch.randn_like(ours)
    for mine, theirs in zip(
        torch.autograd.grad(ours, (x, weight, bias), grad),
        torch.autograd.grad(torchs, (x, weight, bias), grad),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-10)


@pytest.mark.parametrize("way", WAYS)
def test_in_float32_they_agree_to_a_hundred_thousandth(way):
    x, weight = (each.detach() for each in (drawn(2, 3, 9, 9), drawn(4, 3, 5, 5)))
    x, weight = x.float(), weight.float() / 9
    torch.testing.assert_close(way(x, weight), F.conv2d(x, weight), rtol=0, atol=1e-5)


@pytest.mark.parametrize("options", [o for o in SETTINGS if "groups" not in o])
def test_the_matrix_does_what_the_filters_do(options):
    x, weight = drawn(2, 3, 6, 5), drawn(4, 3, 3, 3)
    matrix = conv2d_matrix(weight, 6, 5, **options)
    expected = F.conv2d(x, weight, **options)
    torch.testing.assert_close(x.flatten(1) @ matrix.T, expected.flatten(1))
    torch.testing.assert_close(
        torch.autograd.grad(matrix.square().sum(), weight)[0],
        torch.autograd.grad(
            conv2d_matrix(weight, 6, 5, **options).square().sum(), weight
        )[0],
    )


@pytest.mark.parametrize("options", [{}, {"stride": 2}, {"padding": 2, "stride": 3}])
def test_unfolding_is_that_of_torch(options):
    x = drawn(2, 3, 8, 7)
    torch.testing.assert_close(
        unfold(x, (3, 2), **options), F.unfold(x, (3, 2), **options)
    )


def test_images_that_are_a_view_are_unfolded_by_their_own_strides():
    x = torch.randn(2, 8, 7, 3).permute(0, 3, 1, 2)
    torch.testing.assert_close(unfold(x, (3, 3)), F.unfold(x, (3, 3)))
    x = torch.randn(1, 3, 1, 7).expand(2, 3, 8, 7)
    torch.testing.assert_close(unfold(x, (3, 3)), F.unfold(x, (3, 3)))


@pytest.mark.parametrize("size", [1, 5, 8, 28])
@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 2])
def test_the_size_is_that_of_torch(size, kernel, stride, padding):
    if size + 2 * padding < kernel:
        with pytest.raises(ShapeError, match="as large as the filter"):
            conv_size(size, kernel, stride=stride, padding=padding)
        return
    image, window = torch.zeros(1, 1, size, size), torch.zeros(1, 1, kernel, kernel)
    expected = F.conv2d(image, window, stride=stride, padding=padding).shape[2]
    assert conv_size(size, kernel, stride=stride, padding=padding) == expected


@pytest.mark.parametrize("way", WAYS)
def test_what_does_not_fit_is_refused(way):
    x, weight = torch.zeros(2, 4, 6, 6), torch.zeros(8, 4, 3, 3)
    with pytest.raises(ShapeError, match="as many channels") as caught:
        way(x[:, :3], weight)
    assert "(2, 3, 6, 6)" in str(caught.value)
    with pytest.raises(ShapeError, match=r"\(B, C, H, W\)"):
        way(x[0], weight)
    with pytest.raises(ShapeError, match="one bias for each filter"):
        way(x, weight, torch.zeros(7))
    with pytest.raises(ShapeError, match="as large as the filter"):
        way(x, torch.zeros(8, 4, 7, 7))
    with pytest.raises(DTypeError, match="one dtype"):
        way(x, weight.double())
    with pytest.raises(OptionError, match="divide both"):
        way(x, weight, groups=3)
    with pytest.raises(OptionError, match="stride"):
        way(x, weight, stride=0)
    with pytest.raises(OptionError, match="padding"):
        way(x, weight, padding=-1)
