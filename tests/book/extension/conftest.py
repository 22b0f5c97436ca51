"""What the tests of the extension's parts share."""

import os
from types import SimpleNamespace
from unittest import mock

import pytest


@pytest.fixture(autouse=True)
def own_environment(tmp_path):
    """Give each test the environment of a machine without settings, and restore it."""
    own = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("BOOK_", "MINIFAST_", "GITHUB_", "OMP_", "MKL_"))
    }
    own["MINIFAST_CACHE"] = str(tmp_path / "data")
    with mock.patch.dict(os.environ, own, clear=True):
        yield


@pytest.fixture
def app(tmp_path):
    """Stand in for Sphinx where a part needs no more than folders and settings."""
    return SimpleNamespace(
        outdir=tmp_path / "_build" / "html",
        config=SimpleNamespace(nb_execution_cache_path=""),
        statuscode=0,
    )
