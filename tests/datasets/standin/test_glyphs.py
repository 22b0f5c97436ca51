"""Shapes of digits: found without matplotlib, thinned and measured right."""

import importlib.util
import subprocess
import sys
from importlib.machinery import ModuleSpec

import pytest
import torch

from minifast.datasets.standin import glyphs
from minifast.datasets.standin.digits import FACES, TEST_ONLY_FACES
from minifast.errors import DataError


def test_every_face_gives_ten_different_digits():
    shapes = glyphs.load_glyphs(FACES + TEST_ONLY_FACES)
    n_faces = len(FACES + TEST_ONLY_FACES)
    counts = [len(rows) for rows in shapes.by_digit]
    assert counts == [n_faces + 6, n_faces + 8, *[n_faces] * 8]
    assert shapes.fields.shape == (sum(counts), 1, 64, 64)
    assert shapes.fields.dtype == torch.float32
    assert (shapes.fields.amin((1, 2, 3)) == 0).all()
    drawn = {field.numpy().tobytes() for field in shapes.fields}
    assert len(drawn) == 10 * n_faces + 4, "one bare stroke, three round zeros"


def test_the_fonts_are_found_without_importing_matplotlib():
    code = (
        "import sys; from minifast.datasets.standin.glyphs import font_folder;"
        "print((font_folder() / 'cmr10.ttf').is_file(), 'matplotlib' in sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert ran.stdout.split() == ["True", "False"]


@pytest.mark.parametrize(
    ("spec", "got", "fix"),
    [
        (None, "no matplotlib", "pip install matplotlib (the extra viz of minifast)"),
        (
            ModuleSpec("matplotlib", None, origin="nowhere/matplotlib/__init__.py"),
            "no folder mpl-data/fonts/ttf beside matplotlib",
            "Install its wheel",
        ),
    ],
)
def test_no_matplotlib_is_a_clear_error(spec, got, fix, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(DataError) as caught:
        glyphs.font_folder()
    assert str(caught.value) == (
        "The stand-in digits need the font files that matplotlib ships.\n"
        f"  got: {got}\n"
        f"  fix: {fix}, or get the real MNIST."
    )


def test_a_missing_face_is_a_clear_error():
    with pytest.raises(DataError) as caught:
        glyphs.load_glyphs(("NoSuchFace",))
    must, got, fix = str(caught.value).split("\n")
    assert must == "The stand-in digits need the font files that matplotlib ships."
    assert got.startswith("  got: NoSuchFace.ttf: ")
    assert fix == "  fix: Install matplotlib again, or get the real MNIST."


def test_distance_agrees_with_all_pairs():
    masks = torch.rand(3, 9, 9) < 0.1
    masks[:, 4, 4] = True
    places = torch.cartesian_prod(torch.arange(9.0), torch.arange(9.0))
    for mask, found in zip(masks, glyphs._distance(masks), strict=True):
        expected = torch.cdist(places, places[mask.flatten()]).amin(1).view(9, 9)
        torch.testing.assert_close(found, expected)


def test_thinning_leaves_a_line_one_pixel_wide():
    masks = torch.zeros(2, 20, 20, dtype=torch.bool)
    masks[0, 5:10, 3:17] = True
    masks[1, 3:17, 6:9] = True
    thin = glyphs._thin(masks)
    assert not (thin & ~masks).any()
    assert thin[0].sum(0).max() == 1
    assert thin[1].sum(1).max() == 1
    assert thin[0].any(0).sum() >= 8
    assert thin[1].any(1).sum() >= 8


def test_thinning_keeps_a_ring_closed():
    at = torch.arange(40.0) - 19.5
    radius = torch.hypot(at, at.unsqueeze(1))
    ring = ((radius > 9) & (radius < 15)).unsqueeze(0)
    thin = glyphs._thin(ring)[0]
    assert thin.sum() < ring.sum() / 4
    # Filling from the outside must not reach the middle.
    outside = torch.zeros(40, 40, dtype=torch.bool)
    outside[0, 0] = True
    for _ in range(200):
        steps = [outside.roll(s, d) for s in (1, -1) for d in (0, 1)]
        outside = (outside | torch.stack(steps).any(0)) & ~thin
    assert outside[0, 39]
    assert not outside[20, 20]
