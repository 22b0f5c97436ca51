from types import SimpleNamespace

import pytest
from docutils import nodes
from minifast_book.chapters import (
    forgive_foreign_types,
    leave_out,
    link_chapters,
    name_rooms,
    tell_events,
)
from sphinx.addnodes import desc_name, desc_signature, literal_emphasis, pending_xref

import minifast.callbacks
import minifast.learner
import minifast.losses


@pytest.mark.parametrize(
    ("line", "linked"),
    [
        ('Book: ch. 01, "One loop".', 'Book: :doc:`ch. 01 </01-matmul>`, "One loop".'),
        ("Source: a. Book: ch. 01.", "Source: a. Book: :doc:`ch. 01 </01-matmul>`."),
        ("Book: ch. 44, not yet.", "Book: ch. 44, not yet."),
        ("See ch. 01 of another book.", "See ch. 01 of another book."),
    ],
)
def test_the_chapter_of_a_docstring_is_linked(line, linked):
    env = SimpleNamespace(found_docs={"01-matmul", "intro", "api/index"})
    lines = ["Multiply.", line]
    link_chapters(SimpleNamespace(env=env), "function", "matmul", None, None, lines)
    assert lines == ["Multiply.", linked]


def is_left_out(module, name, owner=""):
    data = {"autodoc:module": module, "autodoc:class": owner}
    app = SimpleNamespace(env=SimpleNamespace(temp_data=data))
    what = "class" if owner else "module"
    return leave_out(app, what, name, None, False, None)


@pytest.mark.parametrize(
    ("module", "name", "left_out"),
    [
        ("minifast.callbacks.recorder", "Recorder", None),
        ("minifast.callbacks.progress", "make_screen", True),
        ("minifast.callbacks", "default_cbs", None),
        ("minifast.losses", "cross_entropy", None),  # a room that is one file
        ("minifast.datasets.mnist", "read_idx", None),  # imported by its own name
        ("elsewhere.module", "anything", None),
    ],
)
def test_a_page_shows_what_readers_can_import_from_the_room(module, name, left_out):
    assert is_left_out(module, name) is left_out


@pytest.mark.parametrize(
    ("module", "owner", "name", "left_out"),
    [
        ("minifast.callbacks.recorder", "Recorder", "after_batch", True),
        ("minifast.callbacks.recorder", "Recorder", "in_lr_find", True),
        ("minifast.callbacks.recorder", "Recorder", "values", None),
        ("minifast.learner.callback", "Callback", "after_batch", None),
        ("minifast.learner.learner", "Learner", "state_dict", None),
        ("elsewhere.module", "Anything", "after_batch", None),
    ],
)
def test_what_a_callback_overrides_is_told_once(module, owner, name, left_out):
    assert is_left_out(module, name, owner) is left_out


@pytest.mark.parametrize(
    ("module", "owner", "text"),
    [
        ("minifast.callbacks.recorder", "", "minifast.callbacks.name"),
        ("minifast.callbacks", "", "minifast.callbacks.name"),
        ("minifast.datasets.mnist", "", "minifast.datasets.mnist.name"),
        ("minifast.callbacks.recorder", "Recorder", "name"),
        ("elsewhere.module", "", "name"),
        (None, "", "name"),
    ],
)
def test_an_entry_says_from_where_it_is_imported(module, owner, text):
    signature = desc_signature("", "", desc_name("", "name"))
    signature["module"], signature["class"] = module, owner
    name_rooms(None, nodes.section("", signature))
    assert signature.astext() == text


def test_a_callback_names_its_events_in_one_line():
    def lines_of(cls):
        lines = ["What."]
        tell_events(None, "class", "", cls, None, lines)
        return lines[1:]

    told = "Its methods for events: ``after_loss``, ``after_batch``, ``after_epoch``."
    assert lines_of(minifast.callbacks.Recorder) == ["", told]
    (_, wraps) = lines_of(minifast.callbacks.GradientAccumulation)
    assert wraps.endswith(", ``around_backward``.")
    assert lines_of(minifast.learner.Callback) == []
    assert lines_of(minifast.losses.cross_entropy) == lines_of(int) == []


@pytest.mark.parametrize(
    ("target", "before", "kind", "forgiven"),
    [
        ("torch.Tensor", "", nodes.Text, True),
        ("torch.Tensor", "", literal_emphasis, True),
        ("enum.IntEnum", "Bases: ", nodes.literal, True),
        ("collections.abc.Callable", "alias of ", nodes.literal, True),
        ("Learnr", "See ", nodes.literal, None),
        ("torch.Tensor", "See ", nodes.literal, None),
        ("minifast.nothing", "", nodes.Text, None),
    ],
)
def test_a_role_must_lead_somewhere_and_a_foreign_type_need_not(
    target, before, kind, forgiven
):
    text = kind(target) if kind is nodes.Text else kind("", target)
    node = pending_xref("", text, reftarget=target)
    nodes.paragraph("", "", nodes.Text(before), node)
    domain = SimpleNamespace(name="py")
    assert forgive_foreign_types(None, domain, node) is forgiven
    assert forgive_foreign_types(None, None, node) is None
