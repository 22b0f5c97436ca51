import json
from pathlib import Path

import pytest

from minifast.datasets.cache import (
    Content,
    Entry,
    cache_folder,
    discard_work,
    locked,
    parts_folder,
)
from minifast.datasets.checksum import sha256_of
from minifast.errors import DataError

ENTRY = Entry("mnist", real=True)


def fill(folder):
    (folder / "a").mkdir()
    (folder / "a" / "b.txt").write_text("hello")
    return Content("mirror", "a greeting")


@pytest.fixture
def written():
    return ENTRY.write(fill)


class TestFolder:
    def test_default_is_in_the_home_folder(self, monkeypatch):
        monkeypatch.delenv("MINIFAST_CACHE")
        assert cache_folder() == Path.home() / ".cache" / "minifast"

    def test_is_absolute_and_home_is_expanded(self, monkeypatch):
        monkeypatch.setenv("MINIFAST_CACHE", "~/x")
        assert cache_folder() == Path.home() / "x"
        monkeypatch.setenv("MINIFAST_CACHE", "x")
        assert cache_folder() == Path.cwd() / "x"

    def test_real_and_standin_never_share_one(self, own_cache, fake_standin):
        assert ENTRY.folder == own_cache / "real" / "mnist"
        assert Entry("mnist", real=False).folder == own_cache / "standin-test" / "mnist"

    def test_new_standin_version_is_a_new_folder(self, fake_standin):
        old = Entry("mnist", real=False).write(fill)
        fake_standin.VERSION = "next"
        assert Entry("mnist", real=False).read() is None
        assert old.path.exists()


class TestWriting:
    def test_reader_gets_the_data_and_where_it_came_from(self, written):
        assert (written / "a" / "b.txt").read_text() == "hello"
        assert written.real
        assert (written.source, written.note) == ("mirror", "a greeting")
        assert ENTRY.read() == written

    def test_digest_is_that_of_the_listing(self, written):
        listing = written.path.parent / "SHA256SUMS"
        assert written.sha256 == sha256_of(listing)
        assert listing.read_text().endswith("  a/b.txt\n")

    def test_only_the_finished_set_is_left(self, written, left_in):
        assert left_in() == [
            "real/mnist/SHA256SUMS",
            "real/mnist/data/a/b.txt",
            "real/mnist/stamp.json",
        ]

    @pytest.mark.parametrize("error", [DataError("no"), OSError(28, ""), SystemExit()])
    def test_failure_leaves_nothing(self, left_in, error):
        def fail(folder):
            (folder / "half").write_text("made")
            raise error

        with pytest.raises(type(error)):
            ENTRY.write(fail)
        assert left_in() == []
        assert ENTRY.read() is None

    def test_failure_leaves_the_old_set_alone(self, written):
        def fail(folder):
            raise DataError("no")

        with pytest.raises(DataError):
            ENTRY.write(fail)
        assert ENTRY.read() == written

    def test_wrong_digest_leaves_nothing(self, left_in):
        def fill_wrongly(folder):
            fill(folder)
            return Content("origin", "a greeting", sha256="0" * 64)

        with pytest.raises(DataError) as caught:
            ENTRY.write(fill_wrongly)
        must, got, fix = str(caught.value).splitlines()
        assert must == "The mnist set must have the digest 000000000000."
        assert got.startswith("  got: origin: the content has the digest ")
        assert fix == "  fix: Take the set from another place."
        assert left_in() == []

    def test_leftovers_of_a_killed_process_are_removed(self, own_cache, left_in):
        for name in ("new", "old"):
            (own_cache / "tmp" / "mnist" / name).mkdir(parents=True)
            (own_cache / "tmp" / "mnist" / name / "half").write_text("made")
        ENTRY.write(fill)
        assert not [path for path in left_in() if path.startswith("tmp")]

    def test_old_set_is_replaced_whole(self, written):
        (written / "stray.txt").write_text("x")
        again = ENTRY.write(fill)
        assert not (again / "stray.txt").exists()

    def test_downloads_are_removed_once_the_set_is_there(self):
        parts_folder("mnist").mkdir(parents=True)
        (parts_folder("mnist") / "x.part").write_text("x")
        ENTRY.write(fill)
        assert not parts_folder("mnist").exists()


class TestQuickLook:
    def test_nothing_there(self):
        assert ENTRY.read() is None

    def test_no_stamp_no_trust(self, written):
        ENTRY.distrust()
        assert ENTRY.read() is None
        assert (written / "a" / "b.txt").exists()

    @pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 99}'])
    def test_broken_stamp_no_trust(self, written, text):
        (ENTRY.folder / "stamp.json").write_text(text)
        assert ENTRY.read() is None

    def test_standin_that_was_moved_is_not_taken_for_real(self, written):
        stamp = ENTRY.folder / "stamp.json"
        stamp.write_text(json.dumps(json.loads(stamp.read_text()) | {"real": False}))
        assert ENTRY.read() is None

    def test_lost_file_is_noticed(self, written):
        (written / "a" / "b.txt").unlink()
        assert ENTRY.read() is None

    def test_shortened_file_is_noticed(self, written):
        (written / "a" / "b.txt").write_text("hell")
        assert ENTRY.read() is None

    def test_stray_file_does_no_harm(self, written):
        (written / ".DS_Store").write_text("x")
        (written / "notes.txt").write_text("x")
        assert ENTRY.read() == written


class TestThoroughLook:
    def test_whole(self, written):
        assert ENTRY.damage() == []

    def test_changed_byte(self, written):
        (written / "a" / "b.txt").write_text("hallo")
        assert ENTRY.damage() == ["a/b.txt: its content has changed"]

    def test_changed_listing(self, written):
        (ENTRY.folder / "SHA256SUMS").write_text("")
        assert ENTRY.damage() == ["SHA256SUMS: its content has changed"]

    def test_lost_stamp(self, written):
        ENTRY.distrust()
        (damage,) = ENTRY.damage()
        assert damage.startswith("stamp.json or SHA256SUMS: can't be read")


def test_lock_lets_the_next_one_in_after_an_error():
    with pytest.raises(ZeroDivisionError), locked("mnist"):
        _ = 1 / 0
    with locked("mnist"):
        assert (cache_folder() / "locks").is_dir()


def test_discard_gives_back_the_room(own_cache, left_in):
    for folder in (parts_folder("mnist"), own_cache / "tmp" / "mnist" / "new"):
        folder.mkdir(parents=True)
        (folder / "half").write_text("made")
    discard_work("mnist")
    assert left_in() == []
