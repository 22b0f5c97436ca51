import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from minifast_book import cache


def choose(app):
    cache.choose(app, app.config)
    return Path(app.config.nb_execution_cache_path)


def put_real_data(monkeypatch):
    monkeypatch.setattr("minifast_book.available.available", lambda: {"mnist": "8d42"})


def test_the_folder_is_named_by_what_outputs_depend_on(app, tmp_path, capsys):
    folder = choose(app)
    assert folder.parent == tmp_path / "_build" / ".jupyter_cache"
    facts = json.loads((folder / cache.FACTS).read_text())
    assert cache.fingerprint(facts) == folder.name
    assert "(new)" in capsys.readouterr().out
    assert choose(app) == folder
    assert "serve for unchanged cells" in capsys.readouterr().out


def test_it_says_what_changed(app, monkeypatch, capsys):
    folder = choose(app)
    monkeypatch.setenv("MINIFAST_SCALE", "full")
    assert choose(app) != folder
    assert "changed since the last build: scale" in capsys.readouterr().out


def test_another_place_can_be_named(app, tmp_path, monkeypatch):
    monkeypatch.setenv("BOOK_CACHE", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("BOOK_FINGERPRINT", "0123456789abcdef")
    assert choose(app) == tmp_path / "elsewhere" / "0123456789abcdef"


def test_force_forgets_the_outputs(app, monkeypatch):
    kept = choose(app) / "global.db"
    kept.write_text("outputs")
    choose(app)
    assert kept.exists()
    monkeypatch.setenv("BOOK_EXECUTE", "force")
    choose(app)
    assert not kept.exists()


def test_data_that_a_build_fetched_does_not_make_its_outputs_stale(app, monkeypatch):
    first = choose(app)
    put_real_data(monkeypatch)
    cache.keep(app)
    assert not first.exists()
    kept = Path(app.config.nb_execution_cache_path)
    assert choose(app) == kept


def test_a_change_of_the_package_during_a_build_does(app, monkeypatch):
    first = choose(app)
    put_real_data(monkeypatch)
    now = cache.facts() | {"package": "edited meanwhile"}
    monkeypatch.setattr(cache, "facts", lambda: now)
    cache.keep(app)
    assert first.exists()


def test_only_the_last_folders_are_kept(app):
    base = choose(app).parent
    for age in range(9):
        old = base / f"{age:016x}"
        old.mkdir()
        (old / cache.FACTS).write_text("{}")
        os.utime(old, (1_000_000 - age, 1_000_000 - age))
    choose(app)
    names = {folder.name for folder in base.iterdir()}
    assert names == {f"{age:016x}" for age in range(cache.KEPT)} | {choose(app).name}


@pytest.mark.parametrize("rebuilding", [True, False])
def test_a_rebuild_forgets_what_it_executed_itself(app, monkeypatch, rebuilding):
    if rebuilding:
        monkeypatch.setenv("BOOK_FINGERPRINT", "0123456789abcdef")
    removed = []
    outputs = SimpleNamespace(remove_cache=removed.append)
    monkeypatch.setattr(cache, "get_cache", lambda path: outputs)
    pages = [
        SimpleNamespace(fresh=True, record=1),
        SimpleNamespace(fresh=False, record=2),
        SimpleNamespace(fresh=True, record=None),
    ]
    cache.forget(app, pages)
    assert removed == ([1] if rebuilding else [])
