import gzip
import io
import os
import tarfile

import pytest

from minifast.datasets import archive
from minifast.datasets.archive import unpack
from minifast.datasets.faults import blame
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
        with blame(path.name):
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
    with pytest.raises(DataError, match=r"set\.tar\.gz: \w+"):
        unpacked(content[:cut])


def test_flipped_byte(unpacked, pack):
    content = bytearray(pack({"a.txt": os.urandom(5000)}))
    content[2500] ^= 0xFF
    with pytest.raises(DataError, match=r"set\.tar\.gz: \w+"):
        unpacked(bytes(content))


def test_not_an_archive_at_all(unpacked):
    with pytest.raises(DataError, match=r"set\.tar\.gz: \w+"):
        unpacked(b"<html>please log in</html>")


def test_gzip_but_not_tar(unpacked):
    with pytest.raises(DataError, match=r"set\.tar\.gz: \w+"):
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
    with pytest.raises(DataError, match="'r/link' is a link, a device or the like"):
        unpacked(pack_members(link, member("r/link/x", 1)))
    assert list(unpacked.folder.iterdir()) == []


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_device(unpacked, kind):
    with pytest.raises(DataError, match="'r/device' is a link, a device or the like"):
        unpacked(pack_members(member("r/device", type=kind)))
    assert list(unpacked.folder.iterdir()) == []


def test_hostile_member_counts_though_nobody_wants_it(unpacked):
    with pytest.raises(DataError, match="leads out"):
        unpacked(pack_members(member("../x", 1)), keeps=lambda path: False)


def test_bomb_by_the_size_of_a_file(unpacked, pack):
    bomb = pack({"zeros": bytes(3_000_000)})
    assert len(bomb) < 10_000
    with pytest.raises(DataError, match="unpacks to more bytes or files than allowed"):
        unpacked(bomb)
    assert not (unpacked.folder / "zeros").exists()


def test_bomb_by_the_size_of_a_header(unpacked):
    """Some versions of tarfile also take a time that grows with its square."""
    bomb = pack_members(member("r/a", pax_headers={"comment": "1" * 5000}))
    with pytest.raises(DataError, match="a header has more than 4,096 bytes"):
        unpacked(bomb)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, b"L"])
def test_chain_of_headers(unpacked, kind):
    header = member("h", type=kind).tobuf()
    with pytest.raises(DataError, match="RecursionError"):
        unpacked(gzip.compress(header * 3000))


def test_sparse_file(unpacked):
    """A few bytes could stand for any size."""
    headers = {"GNU.sparse.size": "1099511627776", "GNU.sparse.map": "0,1"}
    with pytest.raises(DataError, match="is no plain file"):
        unpacked(pack_members(member("r/a", 1, pax_headers=headers)))


def test_negative_size(unpacked):
    content = pack_members(member("r/a", pax_headers={"size": "-512"}))
    with pytest.raises(DataError, match="more bytes or files than allowed"):
        unpacked(content)


@pytest.mark.parametrize("depth", [1, 5000])
def test_name_too_long_for_the_system(unpacked, depth):
    with pytest.raises(DataError, match=r"File name too long|a header has more than"):
        unpacked(pack_members(member("r/" + "d" * 300 * depth, 1)))


def test_bomb_after_the_end_of_what_is_wanted(unpacked, pack):
    content = pack({"a.txt": b"a", "zeros": bytes(3_000_000)})
    with pytest.raises(DataError, match="unpacks to more bytes or files than allowed"):
        unpacked(content, keeps=lambda path: path == "a.txt")


def test_too_many_members(unpacked, pack, monkeypatch):
    monkeypatch.setattr(archive, "MAX_MEMBERS", 3)
    with pytest.raises(DataError, match="more bytes or files than allowed"):
        unpacked(pack({f"{i}.txt": b"" for i in range(4)}))


def test_path_that_is_a_file_and_a_folder(unpacked, pack):
    with pytest.raises(DataError, match=r"File exists|Not a directory"):
        unpacked(pack({"a": b"", "a/b": b""}))
