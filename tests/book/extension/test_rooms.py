from types import SimpleNamespace

import pytest
from minifast_book import rooms

CELLS = """# A
```{code-cell}
def mean_v0(x):
    return sum(x) / len(x)
```
```{code-cell}
claim("Ours is theirs.", mean_v0(x) == Mean(x), unless=mean_v0(x) == Mean(y))
```
```{code-cell}
show(Average.update); Metric
```
"""


@pytest.fixture
def app(tmp_path, monkeypatch):
    """A book of one chapter, beside a package of one room."""
    srcdir = tmp_path / "book"
    srcdir.mkdir()
    (srcdir / "01-a.md").write_text(CELLS)
    (srcdir / "names.yml").write_text("accuracy: a helper\n")
    names = dict.fromkeys(("Mean", "Average", "Metric", "accuracy"), "minifast.metrics")
    monkeypatch.setattr(rooms, "public_names", lambda: names)
    env = SimpleNamespace(
        found_docs={"01-a", "intro"},
        doc2path=lambda name: str(srcdir / f"{name}.md"),
        book_names=srcdir / "names.yml",
    )
    return SimpleNamespace(srcdir=str(srcdir), env=env)


@pytest.mark.parametrize(
    ("name", "way"),
    [("Mean", "built"), ("Average", "shown"), ("Metric", "used"), ("accuracy", "")],
)
def test_what_a_chapter_does_with_a_name(app, name, way):
    assert rooms.way_of(name, rooms.find_names(app.env)) == way
    assert not list(rooms.find_gaps(app))


@pytest.mark.parametrize(
    ("reasons", "told"),
    [
        ("", "no chapter uses minifast.metrics.accuracy, and no reason is given"),
        ("accuracy: a\nMean: b\n", "says why Mean is not in the book, but it is built"),
        ("accuracy: a\nmode: b\n", "no room hands out mode"),
    ],
)
def test_what_has_no_place_or_two_is_told(app, tmp_path, reasons, told):
    (tmp_path / "book" / "names.yml").write_text(reasons)
    [gap] = rooms.find_gaps(app)
    assert told in gap


def test_a_book_without_the_table_promises_nothing(app):
    del app.env.book_names
    assert not list(rooms.find_gaps(app))


def test_the_rooms_hand_out_what_is_written_down():
    names = rooms.public_names()
    assert names["kaiming_normal_"] == "minifast.nn"
    assert names["Learner"] == "minifast.learner"
    assert "math" not in names
