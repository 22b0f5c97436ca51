import pytest
from minifast_book import files


def test_half_a_file_is_never_left(tmp_path, monkeypatch):
    file = tmp_path / "file"
    files.write_whole(file, "first")

    def fail(descriptor):
        raise OSError("the disk is full")

    monkeypatch.setattr(files.os, "fsync", fail)
    with pytest.raises(OSError, match="full"):
        files.write_whole(file, "second")
    assert [each.read_text() for each in tmp_path.iterdir()] == ["first"]


def test_what_is_written_is_read(tmp_path):
    file = tmp_path / "new" / "file.json"
    files.write_json(file, {"b": [1, "µs"], "a": None})
    assert files.read_json(file) == {"a": None, "b": [1, "µs"]}
    assert file.read_text(encoding="utf-8").index("a") < file.read_text().index("b")


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b"\xff", b"null"])
def test_what_cannot_be_read_is_nothing(tmp_path, content):
    file = tmp_path / "file.json"
    if content is not None:
        file.write_bytes(content)
    assert files.read_json(file) == {}
