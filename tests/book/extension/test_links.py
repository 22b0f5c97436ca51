import pytest
from minifast_book.links import find_dead, find_faults
from minifast_book.markup import elements


@pytest.fixture
def write(tmp_path):
    """Write a page with something in its article."""

    def write(content, name="page.html"):
        path = tmp_path / name
        path.write_text(f"<p onclick='theme()'></p><article>{content}</article>")
        return path

    return write


@pytest.mark.parametrize(
    "content",
    [
        '<script src="https://a.org/x.js"></script>',
        '<img src="//a.org/x.png">',
        '<img srcset="x.png 1x, https://a.org/x.png 2x">',
        '<source src="http://a.org/x.mp4">',
        '<object data="https://a.org/x"></object>',
        '<link rel="preload stylesheet" href="https://a.org/x.css">',
        "<style>@import 'https://a.org/x.css';</style>",
        "<style>p { background: url(https://a.org/x.png) }</style>",
        '<svg aria-label="x"><image href="https://a.org/x.png"/></svg>',
        '<svg aria-label="x"><use xlink:href="https://a.org/x.svg#a"/></svg>',
    ],
)
def test_what_loads_from_another_host(write, content):
    [(problem, sought)] = find_faults(write(content))
    assert "loads from another host" in problem
    assert sought in content


@pytest.mark.parametrize(
    "content",
    [
        '<a href="https://a.org/">x</a>',
        '<link rel="canonical" href="https://a.org/">',
        '<img src="data:image/png;base64,AAAA">',
        '<script type="application/json">{"a": 1}</script>',
        '<style>p { background: url("x.png") }</style>',
        "<p>https://a.org/x.png</p>",
    ],
)
def test_what_loads_nothing_from_elsewhere(write, content):
    assert not list(find_faults(write(content)))


@pytest.mark.parametrize(
    "content",
    [
        "<script>f()</script>",
        '<script type="module">f()</script>',
        '<p onmouseover="f()"></p>',
        '<a href="JavaScript:f()">x</a>',
    ],
)
def test_scripts_in_a_page(write, content):
    [(problem, sought)] = find_faults(write(content))
    assert problem.startswith("a script in the ")
    assert sought in content


def test_the_scripts_of_the_theme_are_its_own(write):
    page = write("")
    assert [each.own for each in elements(page)] == [False, True]
    assert not list(find_faults(page))


@pytest.mark.parametrize(
    ("svg", "faults"),
    [
        ("<svg><path/></svg>", 1),
        ("<svg><title>A dot.</title><path/></svg>", 0),
        ('<svg aria-label="A dot."><path/></svg>', 0),
        ('<svg aria-hidden="true"><path/></svg>', 0),
    ],
)
def test_a_drawing_in_the_page_has_a_text(write, svg, faults):
    assert len(list(find_faults(write(svg)))) == faults


def test_dead_links(write):
    write('<p id="here"></p>', "other.html")
    live = [
        "other.html",
        "other.html#here",
        "#top",
        "#",
        "https://a.org/x",
        "mailto:a@b",
    ]
    dead = ["gone.html", "other.html#gone", "#gone", "../x.png"]
    links = "".join(f'<a href="{each}">x</a>' for each in live + dead)
    page = write(f'<p id="top"></p>{links}<img src="other.html">')
    assert [sought for _, sought in find_dead(page)] == dead


def test_a_link_from_the_root_of_the_host_is_dead_below_a_path(write):
    [(problem, _)] = find_dead(write('<a href="/page.html">x</a>'))
    assert "root of the host" in problem
