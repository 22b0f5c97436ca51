import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from minifast.datasets import available, fetch, verify
from minifast.datasets.cache import cache_folder
from minifast.datasets.fetching import cached_entries
from minifast.datasets.registry import DATASETS, RemoteFile
from minifast.errors import DataError, OptionError, UnknownNameError

# Fetches in a process of its own and says what it got.
FETCH = """
from minifast.datasets import fetch
data = fetch("wikitext-2")
print(data.real, data.sha256, len((data / "train.txt").read_bytes()))
"""

# The same, but it stops for ever in the middle of unpacking.
FETCH_AND_HANG = """
import sys, time
from minifast.datasets import fetch
def hang(archive, folder, keeps, max_bytes):
    (folder / "train.txt").write_text("half")
    print("unpacking", flush=True)
    time.sleep(600)
sys.modules["minifast.datasets.fetching"].unpack = hang
fetch("wikitext-2")
"""


@pytest.fixture
def mirror(tiny_mirror, monkeypatch):
    monkeypatch.setenv("MINIFAST_MIRROR", str(tiny_mirror))
    return tiny_mirror


@pytest.fixture
def real_only(monkeypatch):
    monkeypatch.setenv("MINIFAST_DATA", "real")


@pytest.fixture
def set_origin(monkeypatch):
    """Return a function that lets a data set's origins be servers on this machine."""

    def set_to(name, files, *servers, content=""):
        remote = tuple(
            RemoteFile(path, len(body), hashlib.sha256(body).hexdigest())
            if body
            else RemoteFile(path)
            for path, body in files.items()
        )
        origins = tuple(server.url for server in servers)
        dataset = replace(
            DATASETS[name], origins=origins, files=remote, content=content
        )
        monkeypatch.setitem(DATASETS, name, dataset)

    return set_to


class TestMirror:
    def test_archive(self, mirror, tiny_texts, no_origins):
        data = fetch("wikitext-2")
        assert {path.name: path.read_bytes() for path in data.path.iterdir()} == (
            tiny_texts
        )
        assert data.real
        assert data.source == "mirror"
        assert data.note == "differs from the original: tiny"

    def test_plain_files(self, make_mirror, tiny_texts, no_origins, monkeypatch):
        mirror = make_mirror("wikitext-2", tiny_texts | {"README": b"hello"})
        monkeypatch.setenv("MINIFAST_MIRROR", str(mirror))
        data = fetch("wikitext-2")
        assert sorted(os.listdir(data.path)) == sorted(tiny_texts)  # noqa: PTH208

    def test_address(self, mirror, serve, tiny_texts, monkeypatch, left_in):
        files = {path.name: path.read_bytes() for path in mirror.iterdir()}
        server = serve(files)
        monkeypatch.setenv("MINIFAST_MIRROR", server.url)
        data = fetch("wikitext-2")
        assert (data / "train.txt").read_bytes() == tiny_texts["train.txt"]
        assert not [path for path in left_in() if path.endswith(".part")]

    def test_mirror_is_left_as_it_was(self, mirror, no_origins):
        before = {path: path.stat() for path in mirror.rglob("*")}
        fetch("wikitext-2")
        assert set(mirror.rglob("*")) == set(before)
        assert all(path.stat().st_size == s.st_size for path, s in before.items())

    def test_second_mirror_when_the_first_fails(
        self, mirror, no_origins, monkeypatch, capsys
    ):
        monkeypatch.setenv("MINIFAST_MIRROR", f"/none|{mirror}")
        assert fetch("wikitext-2").real
        assert capsys.readouterr() == ("", "")

    def test_claim_to_be_the_original_is_checked(
        self, make_mirror, pack, tiny_texts, no_origins, real_only, monkeypatch, left_in
    ):
        content = pack(tiny_texts)
        mirror = make_mirror("wikitext-2", {"w.tgz": content}, exact_original=True)
        monkeypatch.setenv("MINIFAST_MIRROR", str(mirror))
        with pytest.raises(DataError, match="its digest is"):
            fetch("wikitext-2")
        assert left_in() == []


class TestOrigin:
    def test_files(self, serve, set_origin, tiny_texts):
        server = serve(tiny_texts)
        set_origin("wikitext-2", tiny_texts, server)
        data = fetch("wikitext-2")
        assert (data / "valid.txt").read_bytes() == tiny_texts["valid.txt"]
        assert data.source == "origin"
        assert data.note == "the original files from 127.0.0.1"

    def test_second_origin_when_the_first_fails(self, serve, set_origin, tiny_texts):
        broken, good = serve({}), serve(tiny_texts)
        set_origin("wikitext-2", tiny_texts, broken, good)
        assert fetch("wikitext-2").real
        assert broken.requests
        assert good.requests

    def test_archive_without_a_checksum_is_known_by_its_content(
        self, serve, set_origin, pack, left_in, real_only
    ):
        recordings = {"recordings/0_theo_0.wav": b"RIFF", "setup.py": b"print()"}
        line = f"{hashlib.sha256(b'RIFF').hexdigest()}  recordings/0_theo_0.wav\n"
        content = hashlib.sha256(line.encode()).hexdigest()
        server = serve({"x.tar.gz": pack(recordings)})
        set_origin("fsdd", {"x.tar.gz": None}, server, content=content)
        data = fetch("fsdd")
        assert data.sha256 == content
        assert [path.name for path in data.path.iterdir()] == ["recordings"]

    def test_archive_with_other_content_leaves_nothing(
        self, serve, set_origin, pack, left_in, real_only
    ):
        server = serve({"x.tar.gz": pack({"recordings/0_theo_0.wav": b"forged"})})
        set_origin("fsdd", {"x.tar.gz": None}, server, content="0" * 64)
        with pytest.raises(DataError, match="its digest is"):
            fetch("fsdd")
        assert left_in() == []

    def test_broken_download_is_gone_on_with_by_the_next_fetch(
        self, serve, set_origin, tiny_texts, real_only, left_in
    ):
        server = serve(tiny_texts, cut_after=[500, 200])
        set_origin("wikitext-2", tiny_texts, server)
        with pytest.raises(DataError, match="cut off after 700 of"):
            fetch("wikitext-2")
        (part,) = left_in()
        assert part.endswith("-train.txt.part")
        assert fetch("wikitext-2").real
        assert ("train.txt", "bytes=700-") in server.requests
        assert not [path for path in left_in() if path.endswith(".part")]

    def test_bad_mirror_does_not_cost_a_broken_download(
        self, serve, set_origin, make_mirror, pack, tiny_texts, real_only, monkeypatch
    ):
        server = serve(tiny_texts, cut_after=[500, 200])
        set_origin("wikitext-2", tiny_texts, server)
        bad = make_mirror("wikitext-2", {"w.tgz": pack({"train.txt": b"x"})})
        monkeypatch.setenv("MINIFAST_MIRROR", str(bad))
        with pytest.raises(DataError, match="cut off after 700 of"):
            fetch("wikitext-2")
        assert fetch("wikitext-2").source == "origin"
        assert ("train.txt", "bytes=700-") in server.requests


class TestCache:
    def test_second_fetch_asks_nobody(self, mirror, no_origins, monkeypatch):
        first = fetch("wikitext-2")
        shutil.rmtree(mirror)
        assert fetch("wikitext-2") == first

    def test_lost_file_is_got_again(self, mirror, no_origins):
        data = fetch("wikitext-2")
        (data / "test.txt").unlink()
        assert fetch("wikitext-2") == data
        assert (data / "test.txt").exists()

    def test_finished_set_is_read_from_a_cache_that_can_not_be_written(
        self, mirror, no_origins, monkeypatch
    ):
        data = fetch("wikitext-2")
        shutil.rmtree(cache_folder() / "locks")
        monkeypatch.setattr(Path, "mkdir", refuse_to_write)
        assert fetch("wikitext-2") == data


def refuse_to_write(*args, **kwargs):
    raise PermissionError(13, "Permission denied", "cache")


class TestModes:
    def test_auto_falls_back_and_says_so_in_one_line(
        self, no_origins, fake_standin, capsys
    ):
        data = fetch("wikitext-2")
        assert not data.real
        assert data.source == "stand-in"
        assert data.provenance().endswith(
            "; capital letters; the real set could not be had"
        )
        said = capsys.readouterr()
        assert said.err == ""
        assert said.out.startswith(
            "minifast: the real wikitext-2 set can't be had, so this is its stand-in "
            "(capital letters). Tried: http://127.0.0.1:"
        )
        assert said.out.count("\n") == 1

    def test_auto_says_so_each_time_but_makes_it_once(
        self, no_origins, fake_standin, capsys
    ):
        assert fetch("wikitext-2") == fetch("wikitext-2")
        assert capsys.readouterr().out.count("can't be had") == 2
        assert fake_standin.calls == ["wikitext-2"]

    def test_auto_returns_to_the_real_set_once_it_can_be_had(
        self, no_origins, fake_standin, tiny_mirror, monkeypatch, capsys
    ):
        assert not fetch("wikitext-2").real
        monkeypatch.setenv("MINIFAST_MIRROR", str(tiny_mirror))
        capsys.readouterr()
        assert fetch("wikitext-2").real
        assert capsys.readouterr().out == ""

    def test_real_never_falls_back(self, no_origins, fake_standin, real_only, left_in):
        with pytest.raises(DataError):
            fetch("wikitext-2")
        assert fake_standin.calls == []
        assert left_in() == []

    def test_real_does_not_take_a_cached_standin(
        self, no_origins, fake_standin, monkeypatch
    ):
        fetch("wikitext-2")
        monkeypatch.setenv("MINIFAST_DATA", "real")
        with pytest.raises(DataError):
            fetch("wikitext-2")

    def test_real_lists_what_was_tried_and_why_it_failed(
        self, no_origins, closed_port, make_mirror, real_only, monkeypatch
    ):
        mirror = make_mirror("mnist", {})
        monkeypatch.setenv("MINIFAST_MIRROR", f"/none|{mirror}")
        with pytest.raises(DataError) as caught:
            fetch("wikitext-2")
        must, got, fix = str(caught.value).splitlines()
        assert must == (
            "The real wikitext-2 set must come from a mirror or its origin."
        )
        first, second, third = got.removeprefix("  got: ").split("; ")
        assert first == "/none: there is no such folder"
        assert second == f"{mirror}: it holds mnist"
        assert third.startswith(closed_port.removesuffix("/").rpartition(":")[0])
        assert third.endswith(": Connection refused")
        assert fix == (
            "  fix: Connect to the network or name a mirror in MINIFAST_MIRROR; "
            "MINIFAST_DATA=auto accepts the stand-in."
        )

    def test_standin_asks_nobody(
        self, serve, set_origin, mirror, fake_standin, tiny_texts, monkeypatch, capsys
    ):
        server = serve(tiny_texts)
        set_origin("wikitext-2", tiny_texts, server)
        monkeypatch.setenv("MINIFAST_MIRROR", f"{mirror}|{server.url}")
        monkeypatch.setenv("MINIFAST_DATA", "standin")
        data = fetch("wikitext-2")
        assert not data.real
        assert data.note == "capital letters"
        assert server.requests == []
        assert capsys.readouterr() == ("", "")

    def test_standin_does_not_take_the_cached_real_set(
        self, mirror, fake_standin, monkeypatch
    ):
        assert fetch("wikitext-2").real
        monkeypatch.setenv("MINIFAST_DATA", "standin")
        assert not fetch("wikitext-2").real

    def test_empty_value_means_auto(self, mirror, no_origins, monkeypatch):
        monkeypatch.setenv("MINIFAST_DATA", "")
        assert fetch("wikitext-2").real

    @pytest.mark.parametrize(
        ("value", "fix"),
        [
            ("stand-in", "Did you mean 'standin'?"),
            ("Real", "Did you mean 'real'?"),
            ("7", "Unset it, which means auto."),
        ],
    )
    def test_bad_value(self, value, fix, monkeypatch):
        monkeypatch.setenv("MINIFAST_DATA", value)
        with pytest.raises(OptionError) as caught:
            fetch("mnist")
        assert str(caught.value).splitlines() == [
            "MINIFAST_DATA must be one of: auto, real, standin.",
            f"  got: {value!r}",
            f"  fix: {fix}",
        ]


@pytest.mark.usefixtures("no_origins", "real_only")
class TestFailures:
    """Each fails with a clear message and leaves nothing half-made."""

    @pytest.fixture(autouse=True)
    def leaves_nothing(self, left_in):
        yield
        assert left_in() == []

    def test_unknown_name(self):
        with pytest.raises(UnknownNameError, match="Did you mean 'mnist'"):
            fetch("mnits")

    def test_corrupt_archive(self, make_mirror, pack, tiny_texts, monkeypatch):
        mirror = make_mirror("wikitext-2", {"w.tgz": pack(tiny_texts)[:-20]})
        monkeypatch.setenv("MINIFAST_MIRROR", str(mirror))
        with pytest.raises(DataError, match=r"mirror: EOFError"):
            fetch("wikitext-2")

    def test_wrong_checksum(self, mirror, pack, tiny_texts):
        forged = tiny_texts | {"train.txt": b"forged"}
        (mirror / "wikitext-2.tar.gz").write_bytes(pack(forged))
        with pytest.raises(
            DataError,
            match=r"gz: its size or sha256 is not the one",
        ):
            fetch("wikitext-2")

    def test_wrong_checksum_over_http(self, mirror, serve, monkeypatch):
        files = {path.name: path.read_bytes() for path in mirror.iterdir()}
        files["wikitext-2.tar.gz"] = files["wikitext-2.tar.gz"][::-1]
        monkeypatch.setenv("MINIFAST_MIRROR", serve(files).url)
        with pytest.raises(DataError, match="its sha256 is wrong"):
            fetch("wikitext-2")

    def test_file_that_the_mirror_has_lost(self, mirror):
        (mirror / "wikitext-2.tar.gz").unlink()
        with pytest.raises(DataError, match="No such file"):
            fetch("wikitext-2")

    def test_hostile_archive(self, make_mirror, pack, tiny_texts, monkeypatch):
        hostile = pack(tiny_texts | {"../../../../train.txt": b"gotcha"})
        mirror = make_mirror("wikitext-2", {"w.tgz": hostile})
        monkeypatch.setenv("MINIFAST_MIRROR", str(mirror))
        with pytest.raises(DataError, match="leads out of the folder"):
            fetch("wikitext-2")

    def test_set_with_a_part_missing(self, make_mirror, pack, monkeypatch):
        mirror = make_mirror("wikitext-2", {"w.tgz": pack({"train.txt": b"x"})})
        monkeypatch.setenv("MINIFAST_MIRROR", str(mirror))
        with pytest.raises(DataError, match=r"nothing in it is like valid\.txt"):
            fetch("wikitext-2")

    def test_broken_manifest(self, mirror):
        (mirror / "index.json").write_text("{")
        with pytest.raises(DataError, match="JSONDecodeError"):
            fetch("wikitext-2")

    def test_mirror_without_the_set(self, mirror):
        with pytest.raises(DataError, match=f"{mirror}: it holds wikitext-2"):
            fetch("mnist")

    def test_mirror_without_an_index(self, mirror):
        (mirror / "index.json").unlink()
        with pytest.raises(DataError, match="mirror: No such file"):
            fetch("wikitext-2")

    def test_silent_origin(self, serve, set_origin, tiny_texts, impatient):
        server = serve(tiny_texts, silent=True)
        set_origin("wikitext-2", tiny_texts, server)
        with pytest.raises(DataError, match="timed out"):
            fetch("wikitext-2")

    def test_full_disk_while_unpacking(self, mirror, monkeypatch):
        monkeypatch.setattr(tarfile.TarFile, "extract", fill_the_disk)
        with pytest.raises(DataError) as caught:
            fetch("wikitext-2")
        assert str(caught.value).splitlines() == [
            "The cache folder must be writable and have room for the data.",
            f"  got: No space left on device ({cache_folder()}/x)",
            "  fix: Free some space there, or set MINIFAST_CACHE to another folder.",
        ]

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
    def test_full_disk_while_downloading(self, serve, set_origin, tiny_texts):
        set_origin("wikitext-2", tiny_texts, serve(tiny_texts))
        file = DATASETS["wikitext-2"].files[0]
        left = cache_folder() / "tmp" / "wikitext-2" / "left"
        left.mkdir(parents=True)
        (left / f"{file.sha256[:16]}-{file.path}.part").symlink_to("/dev/full")
        with pytest.raises(DataError, match="No space left on device"):
            fetch("wikitext-2")

    def test_full_disk_is_not_answered_with_a_standin(
        self, mirror, fake_standin, monkeypatch
    ):
        monkeypatch.setenv("MINIFAST_DATA", "auto")
        monkeypatch.setattr(tarfile.TarFile, "extract", fill_the_disk)
        with pytest.raises(DataError, match="No space left on device"):
            fetch("wikitext-2")
        assert fake_standin.calls == []

    def test_ctrl_c(self, mirror, monkeypatch):
        def interrupt(*args, **kwargs):
            raise KeyboardInterrupt

        monkeypatch.setattr(tarfile.TarFile, "extract", interrupt)
        with pytest.raises(KeyboardInterrupt):
            fetch("wikitext-2")


def fill_the_disk(self, member, path, **kwargs):
    (path / member.name).write_text("half")
    raise OSError(28, "No space left on device", f"{cache_folder()}/x")


class TestBadSources:
    """A bad source of any kind is passed over and named, and the next one is tried."""

    @pytest.fixture
    def bad(self, tmp_path):
        folder = tmp_path / "bad"
        folder.mkdir()
        return folder

    def spoil(self, bad, kind, pack):
        """Write one of many kinds of bad mirrors."""
        file = {"path": "w.tgz", "bytes": 3, "sha256": "0" * 64}
        if kind == "deep index":
            (bad / "index.json").write_text("[" * 100_000)
            return
        if kind == "index is a pipe":
            os.mkfifo(bad / "index.json")
            return
        content = {
            "escape": lambda: pack({"../../x": b""}),
            "deep path": lambda: pack({"d/" * 2000 + "f": b""}),
            "no archive": lambda: b"<html>",
            "too large": lambda: pack({"a": bytes(2**26)}),
        }.get(kind, bytes)()
        if kind == "file is a pipe":
            os.mkfifo(bad / "w.tgz")
        elif kind == "link":
            (bad / "w.tgz").symlink_to("/etc/passwd")
        else:
            (bad / "w.tgz").write_bytes(content)
            sha256 = hashlib.sha256(content).hexdigest()
            file |= {"bytes": len(content), "sha256": sha256}
        file |= {"odd path": {"path": "a\0b"}, "claim": {"bytes": 10**13}}.get(kind, {})
        entry = {"files": [file], "note": "bad"}
        index = {"version": 1, "datasets": {"wikitext-2": entry}}
        (bad / "index.json").write_text(json.dumps(index))

    KINDS = (
        *("deep index", "index is a pipe", "escape", "deep path"),
        *("no archive", "too large", "file is a pipe", "link", "odd path", "claim"),
    )

    @pytest.mark.parametrize("kind", KINDS)
    def test_mirror(self, kind, bad, pack, mirror, no_origins, monkeypatch, capsys):
        self.spoil(bad, kind, pack)
        monkeypatch.setenv("MINIFAST_MIRROR", f"{bad}|~nosuchuser/x|{mirror}")
        assert fetch("wikitext-2").real
        assert capsys.readouterr() == ("", "")

    @pytest.mark.parametrize("kind", KINDS)
    def test_standin_in_the_end(
        self, kind, bad, pack, no_origins, fake_standin, monkeypatch, capsys
    ):
        self.spoil(bad, kind, pack)
        monkeypatch.setenv("MINIFAST_MIRROR", str(bad))
        assert not fetch("wikitext-2").real
        said = capsys.readouterr().out
        assert f"Tried: {bad}" in said
        assert said[:-1].isprintable()

    def test_address(self, drip, mirror, no_origins, monkeypatch):
        monkeypatch.setattr("minifast.datasets.download.GRACE_S", 0.0)
        monkeypatch.setattr("minifast.datasets.download.CONNECT_S", 0.3)
        bad = drip([b"HTTP/1.1 200 OK\r\nX: ", b"a"])
        monkeypatch.setenv("MINIFAST_MIRROR", f"{bad}|{mirror}")
        assert fetch("wikitext-2").real

    def test_plain_files_are_bounded_too(
        self, make_mirror, tiny_texts, no_origins, real_only, monkeypatch
    ):
        dataset = replace(DATASETS["wikitext-2"], max_bytes=1000)
        monkeypatch.setitem(DATASETS, "wikitext-2", dataset)
        mirror = make_mirror("wikitext-2", tiny_texts | {"train.txt": bytes(999)})
        monkeypatch.setenv("MINIFAST_MIRROR", str(mirror))
        with pytest.raises(DataError, match="its files are larger than 1,000 bytes"):
            fetch("wikitext-2")

    def test_forged_original_of_a_set_whose_content_is_not_known(
        self, make_mirror, pack, no_origins, real_only, monkeypatch
    ):
        files = {"imdb.tgz": pack({"README": b"forged"})}
        mirror = make_mirror("imdb", files, exact_original=True)
        monkeypatch.setenv("MINIFAST_MIRROR", str(mirror))
        with pytest.raises(DataError, match="claims to be the original"):
            fetch("imdb")

    def test_hidden_files_are_left_out(
        self, make_mirror, pack, no_origins, monkeypatch
    ):
        recordings = {"recordings/0_theo_0.wav": b"R", "recordings/.0_theo_1.wav": b"?"}
        mirror = make_mirror("fsdd", {"x.tgz": pack(recordings)})
        monkeypatch.setenv("MINIFAST_MIRROR", str(mirror))
        names = [path.name for path in fetch("fsdd").path.glob("*/*.wav")]
        assert names == ["0_theo_0.wav"]


class TestAvailable:
    """What can be had without asking the network."""

    def test_nothing(self, no_origins):
        assert available() == {}

    def test_real_set_in_the_cache(self, mirror, monkeypatch, no_origins):
        data = fetch("wikitext-2")
        monkeypatch.delenv("MINIFAST_MIRROR")
        assert available() == {"wikitext-2": data.sha256[:12]}

    def test_standin_does_not_count(self, fake_standin, monkeypatch):
        monkeypatch.setenv("MINIFAST_DATA", "standin")
        fetch("fsdd")
        assert available() == {}

    def test_digest_changes_with_what_a_mirror_lists(self, mirror, make_mirror):
        before = available()
        index = json.loads((mirror / "index.json").read_text())
        index["datasets"]["wikitext-2"]["files"][0]["sha256"] = "0" * 64
        (mirror / "index.json").write_text(json.dumps(index))
        assert available().keys() == before.keys() == {"wikitext-2"}
        assert available() != before

    def test_first_mirror_that_lists_a_set_counts(
        self, mirror, make_mirror, tiny_texts, monkeypatch
    ):
        alone = available()
        second = make_mirror("wikitext-2", tiny_texts, folder="second")
        monkeypatch.setenv("MINIFAST_MIRROR", f"{mirror} | {second}")
        assert available() == alone

    @pytest.mark.parametrize("index", ["", "{", "[]", "3", "[" * 100_000, '{"a": 1}'])
    def test_damaged_index_or_stamp_is_left_out(self, mirror, no_origins, index):
        data = fetch("wikitext-2")
        for damaged in (mirror / "index.json", data.path.parent / "stamp.json"):
            damaged.write_text(index)
        assert available() == {}

    def test_no_home_is_no_error(self, monkeypatch):
        monkeypatch.setenv("MINIFAST_CACHE", "~nosuchuser/x")
        assert available() == {}


class TestUnwritableCache:
    @pytest.mark.parametrize("mode", ["real", "standin", "auto"])
    def test_file_where_the_cache_should_be(
        self, mode, mirror, fake_standin, own_cache, monkeypatch
    ):
        own_cache.write_text("I am a file")
        monkeypatch.setenv("MINIFAST_DATA", mode)
        with pytest.raises(DataError) as caught:
            fetch("wikitext-2")
        must, got, _ = str(caught.value).splitlines()
        assert must == "The cache folder must be writable and have room for the data."
        assert str(own_cache) in got
        assert own_cache.read_text() == "I am a file"

    def test_standin_in_it_is_read_without_a_network(
        self, no_origins, fake_standin, own_cache, monkeypatch, capsys
    ):
        first = fetch("wikitext-2")
        shutil.rmtree(own_cache / "tmp")
        monkeypatch.setattr(Path, "mkdir", refuse_to_write)
        capsys.readouterr()
        assert fetch("wikitext-2") == first
        assert "Tried: the cache: Permission denied." in capsys.readouterr().out
        monkeypatch.setenv("MINIFAST_DATA", "real")
        with pytest.raises(DataError, match="The cache folder must be writable"):
            fetch("wikitext-2")

    def test_refusal_of_the_system(self, mirror, own_cache, monkeypatch):
        monkeypatch.setattr(Path, "mkdir", refuse_to_write)
        with pytest.raises(DataError, match=r"got: Permission denied \(cache\)"):
            fetch("wikitext-2")
        assert not own_cache.exists()

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
    def test_folder_without_the_permission(self, mirror, own_cache):
        own_cache.mkdir(mode=0o500)
        with pytest.raises(DataError, match="Permission denied"):
            fetch("wikitext-2")


class TestProcesses:
    """What other processes do to the same cache; each test starts some."""

    @pytest.fixture
    def start(self):
        """Return a function that runs a piece of Python in a process of its own."""
        running = []

        def run(code):
            process = subprocess.Popen(
                [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
            )
            running.append(process)
            return process

        yield run
        for process in running:
            process.kill()
            process.wait()
            process.stdout.close()

    def test_two_at_once_get_the_same_and_download_it_once(
        self, start, serve, mirror, tiny_texts, monkeypatch, left_in
    ):
        server = serve({path.name: path.read_bytes() for path in mirror.iterdir()})
        monkeypatch.setenv("MINIFAST_MIRROR", server.url)
        both = [start(FETCH), start(FETCH)]
        first, second = (process.communicate(timeout=60)[0] for process in both)
        assert first == second
        assert first.startswith("True ")
        assert first.split()[-1] == str(len(tiny_texts["train.txt"]))
        archive_requests = [r for r in server.requests if r[0] == "wikitext-2.tar.gz"]
        assert len(archive_requests) == 1
        assert all(path.startswith("real/") for path in left_in())

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
    def test_killed_while_unpacking(self, start, mirror, own_cache, left_in):
        process = start(FETCH_AND_HANG)
        assert process.stdout.readline() == "unpacking\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
        (half,) = left_in()
        assert half.startswith("tmp/wikitext-2/")
        assert fetch("wikitext-2").real
        assert all(path.startswith("real/") for path in left_in())

    def test_import_is_cheap(self, start):
        code = (
            "import sys, minifast.datasets; print([name for name in "
            "('torch', 'PIL', 'minifast.datasets.standin') if name in sys.modules])"
        )
        assert start(code).communicate(timeout=60)[0] == "[]\n"


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
