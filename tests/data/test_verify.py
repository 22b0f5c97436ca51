import pytest

from minifast.data import fetch, verify
from minifast.data.verify import cached_entries
from minifast.errors import DataError, UnknownNameError


@pytest.fixture
def real(tiny_mirror, fake_standin, monkeypatch):
    monkeypatch.setenv("MINIFAST_MIRROR", str(tiny_mirror))
    monkeypatch.setenv("MINIFAST_DATA", "real")
    return fetch("wikitext-2")


@pytest.fixture
def standin(fake_standin, monkeypatch):
    monkeypatch.setenv("MINIFAST_DATA", "standin")
    return fetch("wikitext-2")


def test_whole_sets(real, standin):
    assert [entry.real for entry in cached_entries("wikitext-2")] == [True, False]
    assert verify("wikitext-2") == []


def test_bad_file_is_named_with_its_set(real, standin):
    (standin / "test.txt").write_bytes(b"x" * (standin / "test.txt").stat().st_size)
    assert verify("wikitext-2") == [
        "standin-test/wikitext-2: test.txt: its content has changed"
    ]


def test_damaged_set_is_replaced_by_the_next_fetch(real):
    size = (real / "test.txt").stat().st_size
    (real / "test.txt").write_bytes(b"x" * size)
    assert fetch("wikitext-2") == real  # the quick look sees sizes only
    assert verify("wikitext-2")
    assert fetch("wikitext-2") == real
    assert verify("wikitext-2") == []


def test_nothing_cached(fake_standin, own_cache):
    with pytest.raises(DataError) as caught:
        verify("mnist")
    assert str(caught.value).splitlines() == [
        "The mnist set must be in the cache to be verified.",
        f"  got: nothing of it in {own_cache}",
        "  fix: Fetch it first: minifast data fetch mnist",
    ]


def test_unknown_name():
    with pytest.raises(UnknownNameError, match="Did you mean 'mnist'"):
        verify("minst")
