import subprocess
import sys

import pytest
import torch

from minifast.book import environment, scale, stamp
from minifast.errors import UnknownNameError


@pytest.mark.parametrize(("value", "expected"), [("small", 1), ("full", 2), (None, 1)])
def test_the_scale_chooses(monkeypatch, value, expected):
    if value is None:
        monkeypatch.delenv("MINIFAST_SCALE", raising=False)
    else:
        monkeypatch.setenv("MINIFAST_SCALE", value)
    assert scale(small=1, full=2) == expected


def test_an_unknown_scale_is_refused(monkeypatch):
    monkeypatch.setenv("MINIFAST_SCALE", "huge")
    with pytest.raises(UnknownNameError, match=r"one of: full, small\.\n  got: 'huge'"):
        scale(small=1, full=2)


class Digits:
    def provenance(self):
        return "digits: made up"


@pytest.fixture
def stamped(monkeypatch):
    """The payload that a stamp leaves."""
    left = {}

    def leave(kind, name, text, **payload):
        left.update(payload, kind=kind)

    module = sys.modules["minifast.book.provenance"]
    monkeypatch.setattr(module, "leave", leave)
    return left


def test_a_stamp_holds_what_the_footer_says(monkeypatch, stamped):
    monkeypatch.setenv("MINIFAST_DATA", "standin")
    monkeypatch.setenv("GITHUB_SHA", "0123456789abcdef")
    stamp(Digits())
    assert stamped["kind"] == "provenance"
    assert stamped["data"] == ["digits: made up"]
    assert stamped["data_mode"] == "standin"
    assert stamped["scale"] == "small"
    assert stamped["commit"] == "0123456789ab"
    assert stamped["versions"]["torch"] == torch.__version__
    facts = {name: stamped[name] for name in ("device", "cpu", "threads", "platform")}
    assert facts | stamped["versions"] == environment()
    assert stamped["seconds"] >= 0


def test_without_git_a_stamp_has_no_commit(monkeypatch, stamped):
    monkeypatch.delenv("GITHUB_SHA", raising=False)

    def no_git(*args, **kwargs):
        raise FileNotFoundError("git")

    monkeypatch.setattr(subprocess, "run", no_git)
    stamp()
    assert stamped["commit"] == ""
