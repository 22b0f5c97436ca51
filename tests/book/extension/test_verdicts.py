import json
from types import SimpleNamespace

import pytest
from docutils import nodes
from minifast_book.verdicts import Verdicts
from sphinx.util import logging

LOG = logging.getLogger("sphinx.test")
FACTS = {"scale": "small", "reaches": {"minifast.stats": "1"}}


class Env(SimpleNamespace):
    def doc2path(self, name):
        return str(self.srcdir / f"{name}.md")

    def path2doc(self, path):
        return path.rsplit("/", 1)[-1].removesuffix(".md")


@pytest.fixture
def app(app, tmp_path):
    app.doctreedir = tmp_path / "doctrees"
    app.config.suppress_warnings = ["quiet"]
    app.config.show_warning_types = False
    app.env = Env(srcdir=tmp_path, found_docs={"a", "b"}, temp_data={})
    app._warncount = 0
    for name in "ab":
        (tmp_path / f"{name}.md").write_text("# Title")
    return app


@pytest.fixture
def outputs():
    """Outputs under which every page is kept under the same name."""
    return SimpleNamespace(
        facts=FACTS, depends_on=lambda text, folder: FACTS, key=lambda of: "key"
    )


def build(app, *warnings, read=("a", "b"), ends=True):
    """Run a build in which pages are read, with some warnings."""
    verdicts = Verdicts()
    verdicts.listen(app)
    verdicts.begin(set(read), app.env.found_docs)
    for name in read:
        verdicts.forget(name)
    for text, options in warnings:
        LOG.warning(text, **options)
    if ends:
        verdicts.save_clean()
    verdicts.stop_listening()
    return verdicts


def outdated(app, outputs):
    verdicts = Verdicts()
    verdicts.listen(app)
    verdicts.stop_listening()
    return verdicts.outdated(app, outputs)


def test_at_first_everything_is_read(app, outputs):
    assert outdated(app, outputs) == {"a", "b"}


def test_pages_without_a_warning_are_not_read_again(app, outputs):
    build(app)
    assert outdated(app, outputs) == set()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"location": ("a", 3)}, {"a"}),
        ({"location": "a"}, {"a"}),
        ({"location": "/book/b.md:7"}, {"b"}),
        ({}, {"a", "b"}),
        ({"location": "/minifast/stats.py:docstring of mean:1"}, {"a", "b"}),
        ({"location": "a", "type": "quiet"}, set()),
    ],
)
def test_pages_with_a_warning_are_read_again(app, outputs, options, expected):
    build(app, ("a fault", options))
    assert outdated(app, outputs) == expected


def test_a_warning_about_a_node_is_one_about_its_page(app, outputs):
    node = nodes.paragraph()
    node.source, node.line = str(app.env.srcdir / "b.md"), 3
    build(app, ("a fault", {"location": node}))
    assert outdated(app, outputs) == {"b"}


def test_a_warning_without_a_place_is_about_the_page_at_work(app, outputs):
    app.env.temp_data["docname"] = "a"
    build(app, ("a fault", {"location": "/minifast/stats.py:docstring of mean:1"}))
    assert outdated(app, outputs) == {"a"}


def test_a_warning_lasts_until_the_page_is_in_order(app, outputs):
    build(app, ("a fault", {"location": "a"}))
    build(app, ("a fault", {"location": "a"}), read=["a"])
    assert outdated(app, outputs) == {"a"}
    build(app, read=["a"])
    assert outdated(app, outputs) == set()


def test_after_a_build_that_broke_off_its_pages_are_read_again(app, outputs):
    build(app)
    build(app, read=["a"], ends=False)
    assert outdated(app, outputs) == {"a"}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pages": {}}'])
def test_a_damaged_memory_costs_no_more_than_reading(app, outputs, content):
    build(app)
    (app.doctreedir / "pages.json").write_text(content)
    assert outdated(app, outputs) == {"a", "b"}


@pytest.fixture
def executed(app):
    """A build that has executed page a; its executed notebook is returned."""
    notebook = app.outdir.parent / "jupyter_execute" / "a.ipynb"
    notebook.parent.mkdir(parents=True)
    notebook.write_text("{}")
    verdicts = Verdicts()
    verdicts.listen(app)
    verdicts.begin({"a", "b"}, app.env.found_docs)
    verdicts.note(app, "a", FACTS, "key")
    verdicts.save_clean()
    verdicts.stop_listening()
    return notebook


def test_an_executed_page_is_read_again_when_its_outputs_have_another_name(
    app, outputs, executed, monkeypatch
):
    assert outdated(app, outputs) == set()
    outputs.key = lambda of: "another"
    assert outdated(app, outputs) == {"a"}


def test_an_executed_page_is_read_again_by_force(app, outputs, executed, monkeypatch):
    monkeypatch.setenv("BOOK_EXECUTE", "force")
    assert outdated(app, outputs) == {"a"}


@pytest.mark.parametrize("harm", [lambda f: f.write_text("[]"), lambda f: f.unlink()])
def test_an_executed_page_is_read_again_when_its_notebook_is_not_as_it_was(
    app, outputs, executed, harm
):
    harm(executed)
    assert outdated(app, outputs) == {"a"}


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (FACTS, "again"),
        (FACTS | {"scale": "full"}, "changed: scale"),
        (FACTS | {"reaches": {"minifast.stats": "2"}}, "changed: minifast.stats"),
        (FACTS | {"reaches": {}}, "changed: minifast.stats"),
        (
            FACTS | {"reaches": dict.fromkeys("abcd", "1")},
            "changed: a, b, c and 2 more",
        ),
    ],
)
def test_it_says_what_has_changed(app, executed, now, reason):
    verdicts = Verdicts()
    verdicts.listen(app)
    verdicts.stop_listening()
    assert verdicts.reason("a", now) == reason
    assert verdicts.reason("b", now) == "new"


def test_pages_that_are_gone_are_forgotten(app):
    build(app)
    app.env.found_docs = {"a"}
    build(app, read=[])
    known = json.loads((app.doctreedir / "pages.json").read_text())
    assert list(known["pages"]) == ["a"]


def test_a_page_without_cells_depends_on_nothing(app, outputs):
    assert build(app).facts(["a", "b"]) == {}
