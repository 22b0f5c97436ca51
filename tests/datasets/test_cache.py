import json
from pathlib import Path

import pytest
from filelock import FileLock

from minifast.datasets.cache import Entry, cache_folder, workshop
from minifast.datasets.checksum import list_checksums, sha256_of, sha256_of_text
from minifast.errors import DataError

ENTRY = Entry("mnist", real=True)


def fill(folder):
    (folder / "a").mkdir()
    (folder / "a" / "b.txt").write_text("hello")
    return "a greeting"


def write(fill=fill, original=False, entry=ENTRY):
    with workshop(entry.name) as work:
        return entry.write(work, fill, "mirror", original)


@pytest.fixture
def written():
    return write()


class TestFolder:
    def test_default_is_the_systems_for_caches(self, monkeypatch, tmp_path):
        monkeypatch.delenv("MINIFAST_CACHE")
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        monkeypatch.setattr("sys.platform", "linux")
        assert cache_folder() == Path.home() / ".cache" / "minifast"
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        assert cache_folder() == tmp_path / "minifast"

    def test_is_absolute_and_home_is_expanded(self, monkeypatch):
        monkeypatch.setenv("MINIFAST_CACHE", "~/x")
        assert cache_folder() == Path.home() / "x"
        monkeypatch.setenv("MINIFAST_CACHE", "x")
        assert cache_folder() == Path.cwd() / "x"

    @pytest.mark.parametrize("folder", ["~nosuchuser/x", "x", ""])
    def test_without_a_home_one_is_asked_for(self, folder, monkeypatch):
        def fail(*args):
            raise RuntimeError("could not determine the home directory")

        monkeypatch.setattr(Path, "expanduser", fail)
        monkeypatch.setenv("MINIFAST_CACHE", folder)
        with pytest.raises(DataError) as caught:
            cache_folder()
        must, got, fix = str(caught.value).splitlines()
        assert must == "There must be a folder to keep data in."
        assert got == (
            f"  got: MINIFAST_CACHE is {folder!r} "
            "(RuntimeError: could not determine the home directory)"
        )
        assert fix == "  fix: Set MINIFAST_CACHE to a folder that can be written to."

    def test_real_and_standin_never_share_one(self, own_cache, fake_standin):
        assert ENTRY.folder == own_cache / "real" / "mnist"
        assert Entry("mnist", real=False).folder == own_cache / "standin-test" / "mnist"

    def test_new_standin_version_is_a_new_folder(self, fake_standin):
        old = write(entry=Entry("mnist", real=False))
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
    def test_failure_leaves_the_old_set_alone(self, written, left_in, error):
        def fail(folder):
            (folder / "half").write_text("made")
            raise error

        before = left_in()
        with pytest.raises(type(error)):
            write(fail)
        assert left_in() == before
        assert ENTRY.read() == written

    def test_what_is_not_the_original_is_never_put_into_place(self, left_in):
        with pytest.raises(ValueError, match=r"its digest is \w+, not abca1685336e"):
            write(original=True)
        assert left_in() == []

    def test_old_set_is_replaced_whole(self, written):
        (written / "stray.txt").write_text("x")
        again = write()
        assert not (again / "stray.txt").exists()


class TestWorkshop:
    def test_is_of_this_process_alone(self):
        with workshop("mnist") as first:
            pass
        with workshop("mnist") as second:
            assert first != second

    def test_leftovers_of_a_killed_process_are_removed_and_downloads_taken_over(
        self, own_cache, left_in
    ):
        killed = own_cache / "tmp" / "mnist" / "killed"
        (killed / "new" / "data").mkdir(parents=True)
        (killed / "new" / "data" / "half").write_text("made")
        (killed / "x.part").write_text("half")
        with workshop("mnist") as work:
            assert left_in() == [f"tmp/mnist/{work.name}/x.part"]
            assert (work / "x.part").read_text() == "half"

    def test_process_whose_lock_was_removed_puts_nothing_into_place(self, own_cache):
        def another_process_begins(folder):
            fill(folder)
            work = folder.parents[1]
            work.rename(own_cache / "tmp" / "taken over")
            return "half"

        with pytest.raises(FileNotFoundError):
            write(another_process_begins)
        assert ENTRY.read() is None

    def test_downloads_wait_for_the_next_process_but_no_empty_ones(self, left_in):
        with workshop("mnist") as work:
            (work / "x.part").write_text("half")
            (work / "y.part").touch()
        assert left_in() == [f"tmp/mnist/{work.name}/x.part"]

    def test_downloads_are_removed_once_the_set_is_there(self, left_in):
        with workshop("mnist") as work:
            (work / "x.part").write_text("half")
            ENTRY.write(work, fill)
        assert not [path for path in left_in() if path.endswith(".part")]

    def test_full_disk_gets_its_room_back(self, left_in):
        def fill_the_disk(folder):
            (folder.parents[1] / "x.part").write_text("half")
            raise OSError(28, "No space left on device")

        with pytest.raises(OSError, match="No space"):
            write(fill_the_disk)
        assert left_in() == []


class TestQuickLook:
    def test_nothing_there(self):
        assert ENTRY.read() is None

    def test_no_stamp_no_trust(self, written):
        ENTRY.distrust()
        assert ENTRY.read() is None
        assert (written / "a" / "b.txt").exists()

    @pytest.mark.parametrize(
        "text",
        ["", "[]", "3", "{}", "\ud800", "[" * 100_000, '{"version": 99}'],
        ids=len,
    )
    def test_broken_stamp_no_trust(self, written, text):
        (ENTRY.folder / "stamp.json").write_bytes(text.encode(errors="surrogatepass"))
        assert ENTRY.read() is None

    @pytest.mark.parametrize(
        "key", ["version", "real", "files", "bytes", "sha256", "note", "source"]
    )
    def test_stamp_of_other_types_no_trust(self, written, key):
        stamp = json.loads((ENTRY.folder / "stamp.json").read_text())
        for odd in ({key: [stamp[key]]}, {key: None}):
            (ENTRY.folder / "stamp.json").write_text(json.dumps(stamp | odd))
            assert ENTRY.read() is None
        del stamp[key]
        (ENTRY.folder / "stamp.json").write_text(json.dumps(stamp))
        assert ENTRY.read() is None

    def test_file_that_became_a_dangling_link(self, written):
        (written / "a" / "b.txt").unlink()
        (written / "a" / "b.txt").symlink_to("nowhere")
        assert ENTRY.read() is None

    @pytest.mark.parametrize("original", [{"original": True}, {"source": "origin"}])
    def test_forged_set_no_trust(self, written, original):
        """Not even if its listing and its stamp were forged too."""
        (written / "a" / "b.txt").write_text("hallo")
        listing = list_checksums(written.path)
        (ENTRY.folder / "SHA256SUMS").write_text(listing)
        stamp = json.loads((ENTRY.folder / "stamp.json").read_text())
        del stamp["original"]  # as in caches of older versions
        stamp |= {"sha256": sha256_of_text(listing)} | original
        (ENTRY.folder / "stamp.json").write_text(json.dumps(stamp))
        assert ENTRY.read() is None
        (damage,) = ENTRY.damage()
        assert damage.endswith("or its content is not the original's")

    def test_note_is_printable(self, written):
        stamp = json.loads((ENTRY.folder / "stamp.json").read_text())
        stamp["note"] = "\x1b]0;pwn\x07" * 1000
        (ENTRY.folder / "stamp.json").write_text(json.dumps(stamp))
        assert ENTRY.read().note.isprintable()

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
        ENTRY.distrust()  # nothing is left to withdraw
        (damage,) = ENTRY.damage()
        assert damage.startswith("stamp.json: it can't be read")

    def test_file_that_can_not_be_read(self, written):
        (written / "a" / "b.txt").unlink()
        (written / "a" / "b.txt").symlink_to("b.txt")
        (damage,) = ENTRY.damage()
        assert damage.endswith(
            "b.txt: can't be read (Too many levels of symbolic links)"
        )

    def test_stamp_on_a_disk_that_is_read_only(self, written, monkeypatch):
        def refuse(*args, **kwargs):
            raise OSError(30, "Read-only file system")

        monkeypatch.setattr(Path, "unlink", refuse)
        ENTRY.distrust()
        assert ENTRY.read() == written


def test_who_waits_for_another_process_says_so(monkeypatch, own_cache):
    said = []

    def say_and_let_go(line):
        said.append(line)
        other.release()

    monkeypatch.setattr("minifast.datasets.cache.PATIENCE_S", 0.01)
    monkeypatch.setattr("builtins.print", say_and_let_go)
    (own_cache / "locks").mkdir(parents=True)
    other = FileLock(own_cache / "locks" / "mnist.lock")
    other.acquire()
    with workshop("mnist"):
        assert said == ["minifast: waiting for another process to get mnist."]


def test_lock_lets_the_next_one_in_after_an_error():
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), workshop("mnist"):
            _ = 1 / 0
    assert (cache_folder() / "locks").is_dir()
