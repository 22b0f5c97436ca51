from types import SimpleNamespace

import pytest
import yaml
from minifast_book import oldnames

ENTRY = {"course": "`Mse`", "here": ["minifast.foundations.MSE"], "says": "a layer"}
PAGE = "# A\n```{code-cell}\nEVENTS\n```\n"


@pytest.fixture
def app(tmp_path):
    """A book of two chapters, and a table of one name."""
    srcdir = tmp_path / "book"
    srcdir.mkdir()
    (srcdir / "01-a.md").write_text(PAGE)
    (srcdir / "03-c.md").write_text("# C\n")
    file = srcdir / "old_names.yml"
    file.write_text(yaml.safe_dump([ENTRY]))
    env = SimpleNamespace(
        found_docs={"01-a", "03-c", "intro"},
        doc2path=lambda name: str(srcdir / f"{name}.md"),
        book_old_names=file,
    )
    return SimpleNamespace(srcdir=str(srcdir), env=env)


def test_a_row_leads_to_the_api_and_to_the_chapter(app):
    app.env.docname, app.env.note_dependency = "names", lambda file: None
    table = object.__new__(oldnames.OldNames)
    settings = SimpleNamespace(env=app.env)
    table.state = SimpleNamespace(document=SimpleNamespace(settings=settings))
    link = "{py:obj}`~minifast.foundations.modules.MSE`"
    assert list(table.rows()) == [["`Mse`", "", f"{link}: a layer", "[3](03-c.md)"]]
    assert app.env.book_old_names.name == "old_names.yml"


@pytest.mark.parametrize(
    ("of", "where"),
    [
        ({"here": ["minifast.foundations.MSE"]}, ["03-c"]),  # its docstring says so
        ({"here": ["minifast.learner.EVENTS"]}, ["01-a"]),  # a cell uses it
        ({"here": [], "chapter": "03"}, ["03-c"]),
        ({"here": ["torch.nn.Module"], "chapter": ""}, []),
    ],
)
def test_where_a_name_is_told(app, of, where):
    assert oldnames.chapters(app.env, {"chapter": "", **of}) == where


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("minifast.foundations.MSE", True),
        ("minifast.foundations.modules.MSE", True),  # a module has its own names
        ("minifast.foundations.torch", False),
        ("minifast.nowhere.MSE", False),
        ("torch.nn.Module", True),
        ("torch.nn.Nodule", False),
    ],
)
def test_whether_a_name_is_there(name, there):
    assert oldnames.is_there(name) == there


def test_names_that_are_there_are_no_gap(app):
    assert not list(oldnames.find_gaps(app))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"here": ["minifast.foundations.Mse"], "chapter": "03"},
            "what is `Mse` is no longer at minifast.foundations.Mse",
        ),
        ({"here": ["minifast.nowhere.MSE"], "chapter": "03"}, "is no longer at"),
        ({"here": []}, "no chapter tells of what was `Mse`"),
        ({"here": ["torch.nn.Module"]}, "no chapter tells of what was `Mse`"),
    ],
)
def test_what_is_not_there_is_told(app, change, told):
    app.env.book_old_names.write_text(yaml.safe_dump([ENTRY | change]))
    [gap] = oldnames.find_gaps(app)
    assert gap.startswith("book/old_names.yml: ")
    assert told in gap


def test_a_book_without_the_table_lacks_nothing(app):
    del app.env.book_old_names
    assert not list(oldnames.find_gaps(app))
