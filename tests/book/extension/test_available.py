import json

from minifast_book import available

from minifast.datasets import cache  # whose layout the extension reads


def make_mirror(folder, **sets):
    folder.mkdir()
    datasets = {name: {"files": files} for name, files in sets.items()}
    (folder / "index.json").write_text(json.dumps({"version": 1, "datasets": datasets}))
    return folder


def fill(folder):
    (folder / "train.txt").write_text("words\n")
    return cache.Content("mirror", "a test")


def test_nothing_is_there_at_first():
    assert available.describe() == ""


def test_a_real_set_in_the_cache_of_the_package_counts():
    written = cache.Entry("imdb", real=True).write(fill)
    assert available.describe() == f"imdb {written.sha256[:12]}"


def test_a_stand_in_does_not_count():
    cache.Entry("fsdd", real=False).write(fill)
    assert available.describe() == ""


def test_what_a_mirror_lists_counts_and_changes_with_its_content(tmp_path, monkeypatch):
    mirror = make_mirror(tmp_path / "mirror", mnist=["a"], imdb=["b"])
    monkeypatch.setenv("MINIFAST_MIRROR", str(mirror))
    before = available.describe()
    assert [each.split()[0] for each in before.split(", ")] == ["imdb", "mnist"]
    (mirror / "index.json").write_text(json.dumps({"datasets": {"mnist": ["c"]}}))
    assert available.describe() not in before


def test_the_first_mirror_that_lists_a_set_counts(tmp_path, monkeypatch):
    first = make_mirror(tmp_path / "first", mnist=["a"])
    second = make_mirror(tmp_path / "second", mnist=["b"])
    monkeypatch.setenv("MINIFAST_MIRROR", str(first))
    alone = available.describe()
    monkeypatch.setenv("MINIFAST_MIRROR", f"{first}|{second}")
    assert available.describe() == alone


def test_a_mirror_on_the_web_is_named_not_asked(monkeypatch):
    monkeypatch.setenv("MINIFAST_MIRROR", "http://10.0.0.1:8000")
    assert available.describe() == "http://10.0.0.1:8000 web"


def test_a_missing_or_broken_mirror_offers_nothing(tmp_path, monkeypatch):
    (tmp_path / "index.json").write_text("{")
    monkeypatch.setenv("MINIFAST_MIRROR", f"{tmp_path}|{tmp_path / 'nowhere'}")
    assert available.describe() == ""


def test_with_stand_ins_real_data_does_not_matter(tmp_path, monkeypatch):
    mirror = make_mirror(tmp_path / "mirror", mnist=["a"])
    monkeypatch.setenv("MINIFAST_MIRROR", str(mirror))
    monkeypatch.setenv("MINIFAST_DATA", "standin")
    assert available.describe() == "not asked for"
