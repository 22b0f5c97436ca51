import json

import pytest

from minifast.datasets.mirror import Source, mirrors, origins, read_mirror
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
        places = "/srv/my data | http://10.0.0.1:8000/data|C:\\data"
        monkeypatch.setenv("MINIFAST_MIRROR", places)
        assert mirrors() == ["/srv/my data", "http://10.0.0.1:8000/data", "C:\\data"]

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
        assert source.is_remote
        assert source.url(source.files[0]) == server.url + "sub/a/b.gz"

    def test_blanks_in_a_path_are_quoted(self):
        source = Source("mirror", "http://host/x", (), original=True, note="")
        assert source.url(RemoteFile("a b.gz")) == "http://host/x/a%20b.gz"

    def test_content_that_is_not_the_original_is_said_to_differ(self, write_index):
        source = read_mirror(write_index(index_of(note="halved")))["mnist"]
        assert not source.original
        assert source.note == "differs from the original: halved"

    def test_home_is_expanded(self, write_index, monkeypatch, tmp_path):
        write_index(index_of())
        monkeypatch.setenv("HOME", str(tmp_path))
        assert read_mirror("~")["mnist"].base == str(tmp_path)


class TestFailures:
    def test_no_such_folder(self, tmp_path):
        with pytest.raises(DataError) as caught:
            read_mirror(str(tmp_path / "none"))
        assert str(caught.value).splitlines() == [
            ("A mirror must be a folder or an http address with an index.json in it."),
            f"  got: mirror {tmp_path / 'none'}: there is no such folder",
            "  fix: Correct MINIFAST_MIRROR or the mirror; minifast doctor checks it.",
        ]

    def test_folders_separated_like_a_search_path(self):
        with pytest.raises(DataError, match=r"no such folder; separate mirrors by \|"):
            read_mirror("/one:/two")

    def test_folder_without_an_index(self, tmp_path):
        with pytest.raises(
            DataError, match=r"index\.json can't be read \(No such file"
        ):
            read_mirror(str(tmp_path))

    def test_address_without_an_index(self, serve):
        with pytest.raises(DataError, match=r"/index\.json: HTTP status 404"):
            read_mirror(serve({}).url)

    def test_address_at_which_nobody_answers(self, closed_port):
        with pytest.raises(DataError, match="Connection refused"):
            read_mirror(closed_port)

    @pytest.mark.parametrize(
        "index",
        ["", "{", "[]", "3", {}, {"version": 1}, {"datasets": {}}],
        ids=str,
    )
    def test_index_that_is_none(self, write_index, index):
        with pytest.raises(DataError, match=r"index\.json is broken"):
            read_mirror(write_index(index))

    @pytest.mark.parametrize(
        "index",
        [{"version": 2, "datasets": {}}, {"version": 1, "datasets": []}],
        ids=str,
    )
    def test_index_of_another_version(self, write_index, index):
        with pytest.raises(DataError, match=r"index\.json is of version"):
            read_mirror(write_index(index))

    @pytest.mark.parametrize(
        "change",
        [
            {"path": "../secret"},
            {"path": "/etc/passwd"},
            {"path": "//host/secret"},
            {"path": "a\\..\\b"},
            {"path": ""},
            {"path": 3},
            {"bytes": -1},
            {"bytes": "3"},
            {"sha256": "ab"},
            {"sha256": "xy" * 32},
            {"sha256": None},
        ],
        ids=str,
    )
    def test_entry_that_can_not_be_trusted(self, write_index, change):
        with pytest.raises(DataError, match=r"index\.json is broken"):
            read_mirror(write_index(index_of(files=[FILE | change])))

    @pytest.mark.parametrize("entry", [3, [], {}, {"files": [{}]}], ids=str)
    def test_entry_that_is_none(self, write_index, entry):
        with pytest.raises(DataError, match=r"index\.json is broken"):
            read_mirror(write_index({"version": 1, "datasets": {"mnist": entry}}))


def test_origins_are_the_registrys():
    first, second = origins(DATASETS["mnist"])
    assert first.original
    assert first.kind == "origin"
    assert first.note == "the original files from ossci-datasets.s3.amazonaws.com"
    assert second.url(second.files[0]) == (
        "https://storage.googleapis.com/cvdf-datasets/mnist/train-images-idx3-ubyte.gz"
    )
