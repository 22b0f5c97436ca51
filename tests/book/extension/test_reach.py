"""What pages reach, in a small package: a face, three modules behind it, scripts."""

import pytest
from minifast_book.reach import Reach, read_source

FILES = {
    "minifast/__init__.py": '__version__ = "1"\n',
    "minifast/cli.py": '"""Commands."""\nfrom minifast.callbacks import Clip\n',
    "minifast/errors.py": "class Wrong(Exception): ...\n",
    "minifast/stats.py": "def mean(x): ...\n",
    "minifast/callbacks/__init__.py": (
        "from typing import TYPE_CHECKING\n"
        "from minifast.callbacks.gradients import Clip\n"
        "from minifast.callbacks.recorder import Recorder as Recorder\n"
        "from minifast.callbacks.stopping import Stop\n"
        "def defaults():\n    return [Recorder(), Stop()]\n"
    ),
    "minifast/callbacks/gradients.py": "from minifast import stats\n",
    "minifast/callbacks/recorder.py": (
        "from typing import TYPE_CHECKING\n"
        "from minifast.errors import Wrong\n"
        "if TYPE_CHECKING:\n    from minifast.callbacks.gradients import Clip\n"
    ),
    "minifast/callbacks/stopping.py": "def stop():\n    import minifast.stats\n",
    "scripts/loop.py": "import common\nfrom minifast.callbacks import Stop\n",
    "scripts/common.py": "",
    "scripts/other.py": "",
    "book/values.txt": "41",
    "book/more/a.csv": "1,2",
}
CALLBACKS = "minifast.callbacks"


@pytest.fixture
def folder(tmp_path):
    for name, text in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path


def page(*cells, front=""):
    fences = [f"```{{code-cell}} python3\n{cell}\n```\n" for cell in cells]
    return f"---\n{front}\n---\n# Title\n\n" + "\n".join(fences)


@pytest.fixture
def reach(folder):
    def look(*cells, front=""):
        found = Reach(folder / "minifast", folder / "scripts")
        return found.of(read_source(page(*cells, front=front)), folder / "book")

    return look


def modules(reached):
    return {name for name in reached if name.startswith("minifast.")}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import torch", set()),
        ("import minifast", set()),
        ("from minifast.errors import Wrong", {"minifast.errors"}),
        (
            f"from {CALLBACKS} import Recorder",
            {f"{CALLBACKS}.recorder", "minifast.errors"},
        ),
        (f"from {CALLBACKS} import Clip", {f"{CALLBACKS}.gradients", "minifast.stats"}),
        (
            f"from {CALLBACKS} import defaults",
            {
                f"{CALLBACKS}.defaults",
                f"{CALLBACKS}.recorder",
                "minifast.errors",
                f"{CALLBACKS}.stopping",
                "minifast.stats",
            },
        ),
        (
            "from minifast import callbacks\ncallbacks.Recorder()",
            {f"{CALLBACKS}.recorder", "minifast.errors"},
        ),
        (
            f"load({CALLBACKS + '.stopping'!r})",
            {f"{CALLBACKS}.stopping", "minifast.stats"},
        ),
        ("import loop", {f"{CALLBACKS}.stopping", "minifast.stats"}),
    ],
)
def test_imports_are_followed_by_name(reach, code, expected):
    assert modules(reach(code)) == expected


@pytest.mark.parametrize(
    "code",
    [
        f"from {CALLBACKS} import *",
        f"import {CALLBACKS} as cb",
        "from minifast import callbacks\nshow(callbacks)",
        f"from {CALLBACKS} import unheard_of",
    ],
)
def test_a_room_that_is_taken_as_a_whole_counts_as_a_whole(reach, code):
    assert set(reach(code)) >= {
        CALLBACKS,
        f"{CALLBACKS}.gradients",
        f"{CALLBACKS}.recorder",
        f"{CALLBACKS}.stopping",
    }


@pytest.mark.parametrize("code", ["for x in", "!minifast data list"])
def test_what_cannot_be_read_and_commands_reach_the_command_line(reach, code):
    assert "minifast.cli" in reach(code)


def test_names_are_followed_across_cells_and_magics_do_no_harm(reach):
    code = ["%matplotlib inline\nfrom minifast import callbacks", "callbacks.Clip()"]
    assert f"{CALLBACKS}.gradients" in reach(*code)
    assert f"{CALLBACKS}.recorder" not in reach(*code)


def test_scripts_are_followed_and_others_are_not(reach):
    assert {"loop", "common"} <= reach("import loop").keys()
    assert "other" not in reach("import loop")


@pytest.mark.parametrize(
    ("code", "front", "name"),
    [
        ("open('values.txt')", "", "values.txt"),
        ("!cat values.txt", "", "values.txt"),
        ("Path('more').glob('*')", "", "more/a.csv"),
        ("read()", "depends_on: values.txt", "values.txt"),
        ("read()", "depends_on: [values.txt, more]", "more/a.csv"),
    ],
)
def test_files_beside_a_page_count_if_it_names_them(reach, folder, code, front, name):
    before = reach(code, front=front)
    (folder / "book" / name).write_text("42")
    assert before[name] != reach(code, front=front)[name]


@pytest.mark.parametrize("code", ["'.'", "'..'", "''", "'no\\nfile'", "'x' * 9"])
def test_texts_that_name_no_file_are_passed_over(reach, code):
    assert reach(code) == {}


def test_a_file_that_is_no_module_counts_beside_modules(reach, folder):
    code = f"from {CALLBACKS} import Recorder"
    (folder / "minifast" / "callbacks" / "table.json").write_text("{}")
    assert "minifast/callbacks/table.json" in reach(code)
    assert "minifast/callbacks/table.json" not in reach("import minifast.stats")


def changed(reach, folder, name, code):
    before = reach(code)
    file = folder / name
    file.write_text(file.read_text() + "\n# edited\n")
    return before != reach(code)


@pytest.mark.parametrize(
    ("name", "user", "expected"),
    [
        ("minifast/callbacks/gradients.py", "Clip", True),
        ("minifast/callbacks/gradients.py", "Recorder", False),
        ("minifast/callbacks/stopping.py", "defaults", True),
        ("minifast/callbacks/__init__.py", "Recorder", False),
        ("minifast/cli.py", "defaults", False),
        ("minifast/__init__.py", "Recorder", True),
    ],
)
def test_an_edit_concerns_those_that_reach_it(reach, folder, name, user, expected):
    code = f"from {CALLBACKS} import {user}"
    assert changed(reach, folder, name, code) is expected


def test_where_the_package_lies_does_not_count(reach, folder):
    before = reach("import loop")
    for name in ("minifast", "scripts"):
        (folder / "elsewhere").mkdir(exist_ok=True)
        (folder / name).rename(folder / "elsewhere" / name)
    found = Reach(folder / "elsewhere" / "minifast", folder / "elsewhere" / "scripts")
    assert found.of(read_source(page("import loop")), folder / "book") == before


@pytest.mark.parametrize(
    "edit", [lambda file: file.unlink(), lambda f: f.write_text("2")]
)
def test_an_edit_behind_ones_back_is_noticed(folder, edit):
    found = Reach(folder / "minifast", folder / "scripts")
    found.of(read_source(page("import loop")), folder / "book")
    assert not found.has_changed()
    edit(folder / "scripts" / "loop.py")
    assert found.has_changed()


def test_code_cells_are_told_from_examples_of_them():
    text = page("1 + 1") + "````markdown\n```{code-cell}\nimport no\n```\n````\n"
    source = read_source(text)
    assert source.cells == ["1 + 1"]


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("# Title", "# Other", True),
        ("1 + 1", "1 + 2", False),
        (":tags: [a]", ":tags: [raises-exception]", False),
        ("kernelspec: x", "kernelspec: y", False),
    ],
)
def test_only_what_is_executed_changes_the_digest(old, new, same):
    text = page(":tags: [a]\n\n1 + 1", front="kernelspec: x")
    digests = {read_source(each).digest for each in (text, text.replace(old, new))}
    assert (len(digests) == 1) is same
