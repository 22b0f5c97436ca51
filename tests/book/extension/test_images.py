import pytest
from minifast_book.images import Image, find_images, weigh

PAGE = """<img src="_static/logo.png">
<img src="_images/a%20b.svg" alt="A curve."><img alt="Again." src="_images/a%20b.svg">
<img src="data:image/png;base64,AAAA" alt="A dot."><img src="_images/gone.png">
"""


@pytest.fixture
def page(tmp_path):
    (tmp_path / "_images").mkdir()
    (tmp_path / "_images" / "a b.svg").write_text("x" * 1000)
    path = tmp_path / "page.html"
    path.write_text(PAGE)
    return path


def test_images_of_the_theme_are_left_out(page):
    names = [image.name for image in find_images(page)]
    assert names == ["a%20b.svg", "a%20b.svg", "inline data", "gone.png"]


def test_an_image_weighs_once_however_often_it_is_shown(page):
    assert weigh(page) == len(PAGE) + 1000


@pytest.mark.parametrize(
    ("alt", "described"),
    [
        ("A curve that rises.", True),
        ("", False),
        ("  ", False),
        ("_images/curve.svg", False),
        ("../_images/curve.svg", False),
    ],
)
def test_a_file_name_is_no_description(alt, described):
    assert Image("_images/curve.svg", alt).described is described


@pytest.mark.parametrize(
    ("attrs", "sized"),
    [
        ('width="9" height="9"', True),
        ('style="width: 9px; height: 9px"', True),
        ('width="9" style="height:9px"', True),
        ('width="9"', False),
        ('style="max-width: 9px; height: 9px"', False),
        ("", False),
    ],
)
def test_an_image_with_a_size_has_both(tmp_path, attrs, sized):
    path = tmp_path / "page.html"
    path.write_text(f'<img src="a.png" {attrs}>')
    [image] = find_images(path)
    assert image.sized is sized


def test_what_a_page_offers_and_plays_weighs_as_well(tmp_path):
    for name in ("data.bin", "film.mp4", "other.html", "beside.bin"):
        (tmp_path / name).write_text("x" * 1000)
    path = tmp_path / "page.html"
    page = """<a href="beside.bin">theme</a><article><a href="data.bin">x</a>
    <a href="data.bin">again</a><a href="other.html">a page</a><a href="gone.bin">x</a>
    <a href="https://a.org/x.bin">x</a><video src="film.mp4"></video></article>"""
    path.write_text(page)
    assert weigh(path) == len(page) + 2000
