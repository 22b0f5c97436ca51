import json
import os
from types import SimpleNamespace

import nbformat
import pytest
from filelock import FileLock
from minifast_book import cache
from minifast_book.cache import Outputs

PAGE = """---
kernelspec: x
---
```{code-cell} python3
from minifast.datasets.mnist import load_mnist
```
"""


@pytest.fixture
def outputs(app):
    """The outputs of a build that has begun, and is over after the test."""
    chosen = Outputs()
    chosen.choose(app, app.config)
    yield chosen
    chosen.release()


@pytest.fixture
def notebook():
    cell = nbformat.v4.new_code_cell("6 * 7", execution_count=1)
    cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text="42\n")]
    kernel = {"name": "python3", "display_name": "Python 3"}
    return nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": kernel})


def again(app):
    """Begin another build."""
    chosen = Outputs()
    chosen.choose(app, app.config)
    chosen.release()
    return chosen


def keep(outputs, folder, notebook, text=PAGE):
    of = outputs.depends_on(text, folder)
    kept = cache.Kept(outputs.key(of), of, 1e9, 2.5, dict(notebook))
    outputs.write(kept)
    return kept


def test_kept_outputs_are_read_as_they_were_written(app, outputs, tmp_path, notebook):
    kept = keep(outputs, tmp_path, notebook)
    assert outputs.read(kept.key) == kept
    outputs.release()
    assert again(app).read(kept.key) == kept
    assert outputs.read("another") is None


@pytest.mark.parametrize(
    "harm",
    [
        lambda text: text.replace("42", "9990"),
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: text.split("\n")[0],
        lambda text: "[1]\n[1]",
        lambda text: text + " ",
    ],
)
def test_damaged_outputs_are_not_believed(outputs, tmp_path, notebook, harm):
    kept = keep(outputs, tmp_path, notebook)
    file = outputs.file(kept.key)
    file.write_text(harm(file.read_text()))
    assert outputs.read(kept.key) is None


def test_outputs_of_another_name_are_not_believed(outputs, tmp_path, notebook):
    kept = keep(outputs, tmp_path, notebook)
    outputs.file(kept.key).rename(outputs.file("another"))
    assert outputs.read("another") is None


@pytest.mark.parametrize("content", [b"\xff\xfe", b"\x00"])
def test_a_file_of_rubbish_is_not_believed(outputs, content):
    outputs.file("name").parent.mkdir(parents=True)
    outputs.file("name").write_bytes(content)
    assert outputs.read("name") is None


def test_kept_outputs_are_offered_to_myst_nb(app, outputs, tmp_path, notebook):
    kept = keep(outputs, tmp_path, notebook)
    assert outputs.offer("page", kept.facts) == kept
    found = cache.get_cache(app.config.nb_execution_cache_path)
    bare = nbformat.from_dict(json.loads(json.dumps(notebook)))
    bare.cells[0].outputs, bare.cells[0].execution_count = [], None
    _, whole = found.merge_match_into_notebook(bare)
    assert whole.cells[0].outputs[0].text == "42\n"


def test_nothing_is_offered_by_force(outputs, tmp_path, notebook, monkeypatch):
    kept = keep(outputs, tmp_path, notebook)
    monkeypatch.setenv("BOOK_EXECUTE", "force")
    assert outputs.offer("page", kept.facts) is None


def test_what_was_offered_for_one_page_is_not_found_by_the_next(
    app, outputs, tmp_path, notebook
):
    kept = keep(outputs, tmp_path, notebook)
    outputs.offer("page", kept.facts)
    outputs.offer("next", {**kept.facts, "scale": "full"})
    with pytest.raises(KeyError):
        cache.get_cache(app.config.nb_execution_cache_path).match_cache_notebook(
            notebook
        )


def test_another_place_can_be_named(app, tmp_path, monkeypatch):
    monkeypatch.setenv("BOOK_CACHE", str(tmp_path / "elsewhere"))
    assert again(app).file("key") == tmp_path / "elsewhere" / "pages" / "key.json"


def put_real_data(monkeypatch):
    monkeypatch.setattr("minifast_book.available.available", lambda: {"mnist": "8d42"})


@pytest.mark.parametrize(
    ("data", "again"), [([], False), (["mnist: real"], False), (["stand-in"], True)]
)
def test_data_that_a_build_fetched_does_not_make_its_outputs_stale(
    outputs, tmp_path, notebook, monkeypatch, data, again
):
    kept = outputs.used["page"] = keep(outputs, tmp_path, notebook)
    put_real_data(monkeypatch)
    source = tmp_path / "page.md"
    source.write_text(PAGE)
    page = SimpleNamespace(name="page", source=source, provenance={"data": data})
    renewed = outputs.renew([page])
    now = outputs.key(outputs.depends_on(PAGE, tmp_path))
    assert now != kept.key
    assert (outputs.read(now) is None) is again
    assert set(renewed) == (set() if again else {"page"})


def test_a_site_is_rebuilt_from_the_outputs_that_it_names(
    app, outputs, tmp_path, notebook, monkeypatch
):
    kept = keep(outputs, tmp_path, notebook)
    name, depends_on = outputs.close({"page": kept.facts}, whole=True)
    outputs.release()
    monkeypatch.setenv("MINIFAST_SCALE", "full")
    monkeypatch.setenv("BOOK_FINGERPRINT", name)
    later = again(app)
    assert later.offer("page", later.depends_on(PAGE, tmp_path)) == kept
    assert later.close({}, whole=True) == (name, depends_on)
    other = later.depends_on(PAGE.replace("mnist", "other"), tmp_path)
    assert later.offer("page", other) is None


@pytest.mark.parametrize("content", ["", "{", "[]", "null"])
def test_a_damaged_list_of_a_sites_outputs_costs_an_execution(
    app, outputs, tmp_path, notebook, monkeypatch, content
):
    kept = keep(outputs, tmp_path, notebook)
    name, _ = outputs.close({"page": kept.facts}, whole=True)
    (outputs.base / name / cache.FACTS).write_text(content)
    outputs.close({"page": {**kept.facts, "cells": "others"}}, whole=True)
    outputs.release()
    monkeypatch.setenv("BOOK_FINGERPRINT", name)
    later = again(app)
    assert later.offer("page", later.depends_on(PAGE, tmp_path)) is None


def test_only_the_last_sites_are_kept_with_their_outputs(
    outputs, tmp_path, notebook, monkeypatch
):
    monkeypatch.setattr(cache, "UNNAMED", 1)
    names = []
    for age in range(9):
        text = PAGE.replace("kernelspec: x", f"kernelspec: {age}")
        kept = keep(outputs, tmp_path, notebook, text)
        site, _ = outputs.close({"page": kept.facts}, whole=True)
        names.append((kept.key, site))
        for file in (outputs.file(kept.key), outputs.base / site / cache.FACTS):
            os.utime(file, (1_000_000 + age, 1_000_000 + age))
    outputs.prune()
    there = [site for _, site in names if (outputs.base / site).exists()]
    assert there == [site for _, site in names[-cache.KEPT :]]
    kept = [key for key, _ in names if outputs.file(key).exists()]
    assert kept == [key for key, _ in names[-cache.KEPT - 1 :]]


def test_a_single_chapter_is_no_site(outputs, tmp_path, notebook):
    kept = keep(outputs, tmp_path, notebook)
    name, _ = outputs.close({"page": kept.facts}, whole=False)
    assert not (outputs.base / name).exists()


def test_a_build_waits_for_another_in_its_folder(app, outputs, monkeypatch, capsys):
    acquire = FileLock.acquire

    def instead(lock, timeout=None, **options):
        if timeout is None:  # the one that waits: let the other build end
            outputs.release()
        return acquire(lock, timeout=timeout, **options)

    monkeypatch.setattr(FileLock, "acquire", instead)
    again(app)
    assert "Another build is at work in" in capsys.readouterr().out
