import gzip
import io
import os
import tarfile

import pytest

from minifast.datasets import archive
from minifast.datasets.archive import unpack
from minifast.errors import DataError


def everything(path):
    return True


def pack_members(*members):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for member in members:
            tar.addfile(member, io.BytesIO(b"x" * member.size))
    return packed.getvalue()


def member(name, size=0, **attributes):
    info = tarfile.TarInfo(name)
    info.size = size
    for key, value in attributes.items():
        setattr(info, key, value)
    return info


@pytest.fixture
def unpacked(tmp_path):
    """Return a function that unpacks an archive, and the folder for it."""
    folder = tmp_path / "jail" / "data"
    folder.mkdir(parents=True)

    def run(content, keeps=everything, max_bytes=10**6):
        path = tmp_path / "set.tar.gz"
        path.write_bytes(content)
        unpack(path, folder, keeps, max_bytes)
        return folder

    run.folder = folder
    yield run
    assert list(folder.parent.iterdir()) == [folder], "something got out of the folder"


def test_wanted_files_come_out_without_the_root(unpacked, pack):
    files = {"train/pos/1_9.txt": b"good", "train/unsup/1_0.txt": b"?", "README": b""}
    folder = unpacked(pack(files), keeps=lambda path: "unsup" not in path)
    assert (folder / "train/pos/1_9.txt").read_bytes() == b"good"
    assert (folder / "README").read_bytes() == b""
    assert not (folder / "train/unsup").exists()


def test_owners_and_modes_of_the_archive_are_not_taken_over(unpacked):
    folder = unpacked(pack_members(member("r/a.txt", 1, mode=0o4777, uid=12, gid=12)))
    status = (folder / "a.txt").stat()
    assert status.st_mode & 0o7111 == 0
    assert status.st_uid == os.getuid()


@pytest.mark.parametrize("cut", [1, 60, -8])
def test_damaged_archive(unpacked, pack, cut):
    content = pack({"a.txt": os.urandom(5000)})
    with pytest.raises(DataError, match=r"set\.tar\.gz: it is damaged"):
        unpacked(content[:cut])


def test_flipped_byte(unpacked, pack):
    content = bytearray(pack({"a.txt": os.urandom(5000)}))
    content[2500] ^= 0xFF
    with pytest.raises(DataError, match="it is damaged"):
        unpacked(bytes(content))


def test_not_an_archive_at_all(unpacked):
    with pytest.raises(DataError, match="it is damaged"):
        unpacked(b"<html>please log in</html>")


def test_gzip_but_not_tar(unpacked):
    with pytest.raises(DataError, match="it is damaged"):
        unpacked(gzip.compress(b"no tar header here" * 100))


@pytest.mark.parametrize(
    "name", ["../x", "r/../../x", "/etc/x", "r/../x", "r\\..\\..\\x"]
)
def test_path_that_leads_out(unpacked, name):
    with pytest.raises(DataError, match="leads out of the folder"):
        unpacked(pack_members(member(name, 1)))
    assert list(unpacked.folder.iterdir()) == []


@pytest.mark.parametrize("target", ["/etc/passwd", "../../x", "a.txt"])
@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_link(unpacked, kind, target):
    link = member("r/link", type=kind, linkname=target)
    with pytest.raises(DataError, match="'r/link' is a link"):
        unpacked(pack_members(link, member("r/link/x", 1)))
    assert list(unpacked.folder.iterdir()) == []


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_device(unpacked, kind):
    with pytest.raises(DataError, match="'r/device' is a device"):
        unpacked(pack_members(member("r/device", type=kind)))
    assert list(unpacked.folder.iterdir()) == []


def test_hostile_member_counts_though_nobody_wants_it(unpacked):
    with pytest.raises(DataError, match="leads out"):
        unpacked(pack_members(member("../x", 1)), keeps=lambda path: False)


def test_bomb_by_the_size_of_a_file(unpacked, pack):
    bomb = pack({"zeros": bytes(3_000_000)})
    assert len(bomb) < 10_000
    with pytest.raises(DataError, match="unpacks to more bytes than allowed"):
        unpacked(bomb)
    assert not (unpacked.folder / "zeros").exists()


def test_bomb_by_the_size_of_a_header(unpacked):
    bomb = pack_members(member("r/a", pax_headers={"comment": "x" * 3_000_000}))
    with pytest.raises(DataError, match="unpacks to more bytes than allowed"):
        unpacked(bomb)


def test_bomb_after_the_end_of_what_is_wanted(unpacked, pack):
    content = pack({"a.txt": b"a", "zeros": bytes(3_000_000)})
    with pytest.raises(DataError, match="unpacks to more bytes than allowed"):
        unpacked(content, keeps=lambda path: path == "a.txt")


def test_too_many_members(unpacked, pack, monkeypatch):
    monkeypatch.setattr(archive, "MAX_MEMBERS", 3)
    with pytest.raises(DataError, match="more than 3 members"):
        unpacked(pack({f"{i}.txt": b"" for i in range(4)}))


def test_path_that_is_a_file_and_a_folder(unpacked, pack):
    with pytest.raises(DataError, match="both a file and a folder"):
        unpacked(pack({"a": b"", "a/b": b""}))


def test_message_has_three_lines(unpacked):
    with pytest.raises(DataError) as caught:
        unpacked(pack_members(member("../x", 1)))
    assert str(caught.value).splitlines() == [
        "An archive must unpack to plain files inside its folder, within bounds.",
        "  got: set.tar.gz: the path '../x' leads out of the folder",
        "  fix: Do not use this archive; take the data set from another place.",
    ]
