import os
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest

from minifast.data import DatasetPath

REAL = DatasetPath(
    Path("cache/mnist"), "mnist", True, "the four files", "8d42" * 16, "mirror"
)
STANDIN = replace(REAL, real=False, source="stand-in", note="drawn <digits>")


def test_is_used_like_a_path(tmp_path):
    data = replace(REAL, path=tmp_path)
    (tmp_path / "README").write_text("hello")
    assert data / "README" == tmp_path / "README"
    assert os.fspath(data) == str(data) == f"{data}" == str(tmp_path)
    assert (Path(data) / "README").read_text() == "hello"


def test_provenance_is_one_line():
    assert REAL.provenance() == (
        "mnist: real, mirror, sha256 8d428d428d42; the four files"
    )


def test_standin_is_never_called_real():
    assert STANDIN.provenance() == (
        "mnist: stand-in, not the real data, sha256 8d428d428d42; drawn <digits>"
    )
    assert "stand-in, not the real data" in STANDIN._repr_html_()


def test_page_shows_no_path_of_the_machine():
    assert "cache" not in repr(REAL) + REAL._repr_html_()


def test_html_is_escaped():
    assert "drawn &lt;digits&gt;" in STANDIN._repr_html_()


def test_is_a_value():
    assert replace(REAL) == REAL
    with pytest.raises(FrozenInstanceError):
        REAL.real = False
