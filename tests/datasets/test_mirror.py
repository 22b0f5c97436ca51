import json
import os
from pathlib import Path

import pytest

from minifast.datasets.mirror import (
    Source,
    locate,
    mirrors,
    offer,
    plain_file,
    read_mirror,
)
from minifast.datasets.registry import DATASETS, RemoteFile
from minifast.errors import DataError

FILE = {"path": "a/b.gz", "bytes": 3, "sha256": "ab" * 32}


@pytest.fixture
def write_index(tmp_path):
    """Return a function that writes an index.json and gives its folder."""

    def write(index):
        text = index if isinstance(index, str) else json.dumps(index)
        (tmp_path / "index.json").write_text(text)
        return str(tmp_path)

    return write


def index_of(**entry):
    return {"version": 1, "datasets": {"mnist": {"files": [FILE]} | entry}}


class TestNaming:
    def test_none(self):
        assert mirrors() == []

    def test_several_folders_and_addresses(self, monkeypatch):
        places = "/srv/my data | HTTP://10.0.0.1:8000/data|data"
        monkeypatch.setenv("MINIFAST_MIRROR", places)
        assert mirrors() == [
            "/srv/my data",
            "HTTP://10.0.0.1:8000/data",
            str(Path.cwd() / "data"),
        ]

    def test_home_is_expanded_where_there_is_one(self, monkeypatch):
        monkeypatch.setenv("MINIFAST_MIRROR", "~/data|~nosuchuser/data")
        assert mirrors() == [str(Path.home() / "data"), "~nosuchuser/data"]

    def test_blank_entries_do_not_count(self, monkeypatch):
        monkeypatch.setenv("MINIFAST_MIRROR", " | ")
        assert mirrors() == []


class TestReading:
    def test_folder(self, write_index):
        folder = write_index(index_of(note="four\n files", exact_original=True))
        assert read_mirror(folder) == {
            "mnist": Source(
                kind="mirror",
                base=folder,
                files=(RemoteFile("a/b.gz", 3, "ab" * 32),),
                original=True,
                note="four files",
            )
        }

    def test_address(self, serve):
        server = serve({"sub/index.json": json.dumps(index_of()).encode()})
        source = read_mirror(server.url + "sub")["mnist"]
        assert source.base == server.url + "sub"
        assert source.files == (RemoteFile("a/b.gz", 3, "ab" * 32),)

    def test_blanks_in_a_path_are_quoted(self):
        assert locate("http://host/x/", "a b.gz") == "http://host/x/a%20b.gz"

    def test_content_that_is_not_the_original_is_said_to_differ(self, write_index):
        source = read_mirror(write_index(index_of(note="halved")))["mnist"]
        assert not source.original
        assert source.note == "differs from the original: halved"

    @pytest.mark.parametrize(
        "note", ["\x1b]0;pwn\x07", "x" * 10**6, "\ud800", ["a"], None]
    )
    def test_note_is_one_printable_line(self, write_index, note):
        found = read_mirror(write_index(index_of(note=note)))["mnist"].note
        assert found.isprintable()
        assert len(found) < 300


class TestFailures:
    def test_no_such_folder(self, tmp_path):
        with pytest.raises(DataError) as caught:
            read_mirror(str(tmp_path / "none"))
        assert str(caught.value).splitlines() == [
            "A source of data must give what it promises, and no more.",
            f"  got: {tmp_path / 'none'}: there is no such folder",
            "  fix: Correct it or MINIFAST_MIRROR; minifast doctor checks mirrors.",
        ]

    def test_folders_separated_like_a_search_path(self):
        with pytest.raises(DataError, match=r"no such folder; separate mirrors by \|"):
            read_mirror("/one:/two")

    def test_folder_without_an_index(self, tmp_path):
        with pytest.raises(DataError, match="No such file"):
            read_mirror(str(tmp_path))

    def test_address_without_an_index(self, serve):
        server = serve({})
        with pytest.raises(DataError, match=f"{server.url}: HTTP status 404"):
            read_mirror(server.url)

    def test_address_at_which_nobody_answers(self, closed_port):
        with pytest.raises(DataError, match="Connection refused"):
            read_mirror(closed_port)

    @pytest.mark.parametrize(
        "index",
        [
            *("", "{", "[]", "3", "null", "\ufeff{}", "[" * 100_000),
            *('{"version": ' + "1" * 5000 + "}", " " * 2**22 + "{}"),
            *({}, {"version": 1}, {"datasets": {}}),
            *({"version": 1, "datasets": each} for each in ([], 3, None)),
            *({"version": 1, "datasets": {"mnist": e}} for e in (3, [], {}, None)),
            *({"version": each, "datasets": {}} for each in (2, "1", None)),
        ],
        ids=lambda index: str(index)[:40].strip(),
    )
    def test_index_that_is_none(self, write_index, index):
        with pytest.raises(DataError) as caught:
            read_mirror(write_index(index))
        assert caught.value.got.isprintable()

    @pytest.mark.parametrize("content", [b"\xff\xfe{}", b'{"\xff": 1}', b"\x1f\x8b"])
    def test_index_that_is_no_text(self, tmp_path, content):
        (tmp_path / "index.json").write_bytes(content)
        with pytest.raises(DataError):
            read_mirror(str(tmp_path))

    @pytest.mark.parametrize(
        "change",
        [
            *({"path": p} for p in ("../secret", "/etc/passwd", "//host/secret")),
            *(
                {"path": p}
                for p in ("a\\..\\b", "", ".", "..", "a/../../b", 3, None, ["a"])
            ),
            *({"path": p} for p in ("a\0b", "a\nb", "\ud800.txt", "\x1b[2J")),
            *({"bytes": b} for b in (-1, "3", None, 5.0, True, [1])),
            *({"sha256": s} for s in ("ab", "xy" * 32, "AB" * 32, None, 3, ["0"] * 64)),
        ],
        ids=lambda change: repr(change)[:40],
    )
    def test_entry_that_can_not_be_trusted(self, write_index, change):
        with pytest.raises(DataError) as caught:
            read_mirror(write_index(index_of(files=[FILE | change])))
        assert caught.value.got.isprintable()

    @pytest.mark.parametrize("files", [None, 3, "abc", {"a": 1}, ["x"], [None], [{}]])
    def test_files_that_are_none(self, write_index, files):
        with pytest.raises(DataError):
            read_mirror(write_index(index_of(files=files)))


class TestPlainFiles:
    """Only what is sure to have an end is opened, and only inside the folder."""

    def test_file(self, tmp_path):
        (tmp_path / "a").write_bytes(b"abc")
        assert plain_file(str(tmp_path), "a", max_bytes=3) == tmp_path / "a"
        with pytest.raises(ValueError, match="no plain file of at most 2 bytes"):
            plain_file(str(tmp_path), "a", max_bytes=2)

    def test_folder(self, tmp_path):
        (tmp_path / "a").mkdir()
        with pytest.raises(ValueError, match="no plain file"):
            plain_file(str(tmp_path), "a", max_bytes=10**9)

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such pipes")
    def test_pipe(self, tmp_path):
        os.mkfifo(tmp_path / "index.json")
        with pytest.raises(DataError, match="no plain file"):
            read_mirror(str(tmp_path))

    @pytest.mark.parametrize("target", ["/dev/zero", "/etc/passwd", "../outside"])
    def test_link_that_leads_out(self, tmp_path, target):
        mirror = tmp_path / "mirror"
        mirror.mkdir()
        (tmp_path / "outside").write_text("secret")
        (mirror / "a").symlink_to(target)
        with pytest.raises(ValueError, match="leads out of the mirror"):
            plain_file(str(mirror), "a", max_bytes=10**9)

    def test_link_inside_and_loop(self, tmp_path):
        (tmp_path / "a").write_bytes(b"abc")
        (tmp_path / "b").symlink_to("a")
        assert plain_file(str(tmp_path), "b", max_bytes=3) == tmp_path / "a"
        (tmp_path / "index.json").symlink_to("index.json")
        with pytest.raises(DataError):
            read_mirror(str(tmp_path))


class TestOffers:
    def test_origins_are_the_registrys(self):
        dataset = DATASETS["mnist"]
        source = offer(dataset.origins[0], dataset)
        assert (source.kind, source.original) == ("origin", True)
        assert source.files == dataset.files
        assert source.note == (
            "the original files from ossci-datasets.s3.amazonaws.com"
        )

    def test_set_that_the_mirror_does_not_hold(self, write_index):
        with pytest.raises(ValueError, match="it holds mnist"):
            offer(write_index(index_of()), DATASETS["imdb"])

    def test_size_is_the_sets_own_whatever_the_index_claims(self, write_index):
        index = index_of(files=[FILE | {"bytes": 10**13}])
        with pytest.raises(ValueError, match="its files are larger than 33,554,432"):
            offer(write_index(index), DATASETS["mnist"])

    def test_claim_to_be_the_original_is_checked_by_files_where_all_else_is_unknown(
        self, write_index
    ):
        dataset = DATASETS["imdb"]
        (file,) = dataset.files
        entry = {"path": "x.tgz", "bytes": file.bytes, "sha256": file.sha256}
        for sha256, fits in ((file.sha256, True), ("0" * 64, False)):
            entry |= {"sha256": sha256}
            offered = {"imdb": {"files": [entry], "exact_original": True}}
            place = write_index({"version": 1, "datasets": offered})
            if fits:
                assert offer(place, dataset).original
                continue
            with pytest.raises(ValueError, match="claims to be the original"):
                offer(place, dataset)
