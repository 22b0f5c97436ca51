import pytest
import torch

from minifast.errors import ShapeError
from minifast.viz import show_images


def test_images_stand_in_one_picture_row_by_row():
    images = torch.zeros(3, 28, 28)
    images[0, 0, 0] = images[1, 27, 27] = images[2, 14, 14] = 5.0
    sheet = show_images(images, columns=2).images[0].get_array()
    assert sheet.shape == (2 * 30, 2 * 30 - 2)  # a gap of 2 pixels
    bright = {(int(y), int(x)) for y, x in zip(*(sheet > 0.5).nonzero(), strict=True)}
    assert bright == {(2, 0), (29, 57), (46, 14)}


def test_each_image_is_stretched_to_its_own_range():
    images = torch.stack([torch.linspace(0, 1, 4), torch.linspace(-50, 50, 4)])
    sheet = show_images(images.view(2, 2, 2), columns=1).images[0].get_array()
    assert sheet.min() == 0
    assert sheet.max() == pytest.approx(1)


def test_a_blank_image_stays_blank():
    sheet = show_images(torch.full((1, 4, 4), 7)).images[0].get_array()
    assert sheet.max() == 0


def test_titles_stand_over_their_images():
    ax = show_images(torch.rand(4, 28, 28), ["a", 1, "c", "d"], columns=2)
    assert [text.get_text() for text in ax.texts] == ["a", "1", "c", "d"]
    xs = [text.get_position()[0] for text in ax.texts]
    assert xs[0] == xs[2] < xs[1] == xs[3]


@pytest.mark.parametrize("shape", [(28, 28), (0, 28, 28), (1, 1, 28, 28)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ShapeError, match=r"batch \(B, H, W\)(?s:.*)got: tensor"):
        show_images(torch.zeros(shape))


def test_titles_must_match():
    with pytest.raises(ShapeError, match="got: 2 images, 1 titles"):
        show_images(torch.zeros(2, 4, 4), ["a"])
