"""A build after a change does what the change asks for, and leaves a site as if whole.

The builds follow each other in one folder, as they do at a writer's desk. A page is
read if the build shows its line; it is executed if the line says why.
"""

import filecmp
import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from fixture_book import ROOT, STRICT, FixtureBook, read_json

HEAD = """---
jupytext:
  text_representation: {extension: .md, format_name: myst}
kernelspec: {display_name: Python 3, language: python, name: python3}
---
"""
STAMP = """
```{code-cell} python3
:tags: [remove-input]
from minifast.book import stamp
stamp()
```
"""
RECORDER = """
```{code-cell} python3
from minifast.book import record
from minifast.callbacks import Recorder
record("name", Recorder.__name__, "a recorder")
```
It is {glue:text}`name`, as in {ref}`the other <other>`.
"""
CLIP = """
(other)=
## The other

```{code-cell} python3
from pathlib import Path
from minifast.callbacks import GradientClip
print("read", Path("value.txt").read_text())
```
"""


def read(build):
    """Return the pages with code cells that a build has read, with its reasons."""
    found = re.findall(r"^  (\S+) (?:\((.*?)\) )?\d+\.\d s$", build.output, re.M)
    return dict(found)


class Desk(FixtureBook):
    """A small book with two pages that use different callbacks."""

    def __init__(self, folder):
        super().__init__("good", folder)
        (self.sources / "value.txt").write_text("41")
        self.write("03-recorder", "# Recorder\n" + RECORDER)
        self.write("04-clip", "# Clip\n" + CLIP)
        toc = self.sources / "_toc.yml"
        pages = "      - file: 03-recorder\n      - file: 04-clip\n"
        self.edit(toc, "  - caption: Appendix\n", pages + "  - caption: Appendix\n")

    def write(self, name, text):
        (self.sources / f"{name}.md").write_text(HEAD + text + STAMP)


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    book = Desk(tmp_path_factory.mktemp("desk"))
    build = book.build(*STRICT)
    assert build.returncode == 0, build.output
    assert set(read(build)) == {"01-first", "03-recorder", "04-clip"}
    return book


def rebuild(desk, expected=0):
    build = desk.build(*STRICT)
    assert build.returncode == expected, build.output
    return build


def test_an_unchanged_book_is_not_read(desk):
    site = desk.folder / "before"
    shutil.copytree(desk.site, site)
    build = rebuild(desk)
    assert read(build) == {}
    assert set(build.kept) == {"01-first", "03-recorder", "04-clip"}
    assert differing(desk, site) == []
    shutil.rmtree(site)


def is_unchanged(desk):
    """Ask as ``make book`` does, in a process of its own."""
    environment = desk._environment()
    path = os.pathsep.join([environment["PYTHONPATH"], str(ROOT / "book" / "_ext")])
    done = subprocess.run(
        [sys.executable, "-m", "minifast_book", desk.sources, desk.folder / "_build"],
        cwd=desk.folder,
        env=environment | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    assert ("Nothing has changed" in done.stdout) is (done.returncode == 0)
    return done.returncode == 0


def test_a_build_that_found_no_fault_need_not_be_repeated(desk):
    assert is_unchanged(desk)
    page = desk.sources / "02-example.md"
    desk.edit(page, "This page", "{ref}`nowhere` This page")
    assert not is_unchanged(desk)
    rebuild(desk, expected=1)
    assert not is_unchanged(desk)  # it would be as red as it was
    desk.edit(page, "{ref}`nowhere` This page", "This page")
    rebuild(desk)
    assert is_unchanged(desk)


def differing(desk, site):
    """Return the files in which the site is not like another one."""
    both = {
        path.relative_to(folder).as_posix()
        for folder in (desk.site, site)
        for path in folder.rglob("*")
        if path.is_file()
    }
    _, different, missing = filecmp.cmpfiles(desk.site, site, both, shallow=False)
    return sorted(different + missing)


@pytest.mark.parametrize(
    ("module", "executed"),
    [
        ("callbacks/gradients.py", {"04-clip"}),
        ("callbacks/lr_finder.py", set()),
        ("cli.py", set()),
    ],
)
def test_a_change_of_a_module_executes_the_pages_that_reach_it(desk, module, executed):
    file = desk.package / module
    file.write_text(file.read_text(encoding="utf-8") + "\n# edited\n", encoding="utf-8")
    build = rebuild(desk)
    assert set(read(build)) == set(build.executed) == executed
    assert all("changed: minifast.callbacks" in why for why in read(build).values())


def test_a_change_of_a_file_beside_a_page_executes_it(desk):
    (desk.sources / "value.txt").write_text("42")
    assert rebuild(desk).executed == ["04-clip"]
    assert "read 42" in desk.page("04-clip")
    (desk.sources / "value.txt").write_text("41")  # as it was: nothing is executed
    assert rebuild(desk).executed == []
    assert "read 41" in desk.page("04-clip")


def test_after_many_changes_the_site_is_like_one_that_is_built_anew(desk):
    """A title, a label that others show, and a new page; all in incremental builds."""
    desk.edit(desk.sources / "04-clip.md", "# Clip", "# Clipping")
    desk.edit(desk.sources / "02-example.md", "This page", "This short page")
    assert rebuild(desk).executed == []
    desk.write("05-new", "# New\n\nSee {doc}`04-clip`.\n")
    desk.edit(
        desk.sources / "_toc.yml",
        "      - file: 04-clip\n",
        "      - file: 04-clip\n      - file: 05-new\n",
    )
    rebuild(desk)
    (desk.sources / "05-new.md").unlink()
    desk.edit(desk.sources / "_toc.yml", "      - file: 05-new\n", "")
    rebuild(desk)
    site = desk.folder / "before"
    desk.site.rename(site)
    shutil.rmtree(desk.folder / "_build")
    build = rebuild(desk)
    assert build.executed == []
    assert differing(desk, site) == []
    shutil.rmtree(site)


def test_a_warning_is_told_until_it_is_mended(desk):
    page = desk.sources / "02-example.md"
    desk.edit(page, "This short page", "{ref}`nowhere` This short page")
    for _ in range(2):
        assert "undefined label: 'nowhere'" in rebuild(desk, expected=1).output
    desk.edit(page, "{ref}`nowhere` ", "")
    rebuild(desk)


def test_a_link_that_another_page_breaks_is_told_until_it_is_mended(desk):
    page = desk.sources / "04-clip.md"
    desk.edit(page, "(other)=", "(elsewhere)=")
    for _ in range(2):
        output = rebuild(desk, expected=1).output
        assert re.search(r"03-recorder\.md:\d+: WARNING: undefined label", output)
    desk.edit(page, "(elsewhere)=", "(other)=")
    assert rebuild(desk).executed == []


def test_a_label_may_move_to_an_earlier_page(desk):
    late, early = desk.sources / "04-clip.md", desk.sources / "02-example.md"
    desk.edit(late, "(other)=\n", "")
    early.write_text(early.read_text() + "\n(other)=\n## Other\n")
    assert "03-recorder" not in rebuild(desk).executed
    desk.edit(early, "\n(other)=\n## Other\n", "")
    desk.edit(late, "## The other", "(other)=\n## The other")
    rebuild(desk)


@pytest.mark.parametrize(
    "harm",
    [
        lambda text: text.replace("a recorder", "a forgery"),
        lambda text: text[:100],
        lambda text: "",
    ],
)
def test_damaged_outputs_cost_an_execution(desk, harm):
    shutil.rmtree(desk.folder / "_build")
    for file in desk.folder.glob("outputs/pages/*.json"):
        if "a recorder" in file.read_text(encoding="utf-8"):
            file.write_text(harm(file.read_text(encoding="utf-8")), encoding="utf-8")
    for file in desk.folder.glob("outputs/*/facts.json"):
        file.write_text("")
    assert rebuild(desk).executed == ["03-recorder"]
    assert "It is <span" in desk.page("03-recorder")
    assert "a forgery" not in desk.page("03-recorder")


def test_an_executed_notebook_that_was_edited_is_made_again(desk):
    [notebook] = desk.folder.glob("_build/jupyter_execute/03-recorder.ipynb")
    text = notebook.read_text(encoding="utf-8")
    notebook.write_text(text.replace("a recorder", "a forgery"), encoding="utf-8")
    assert rebuild(desk).executed == []
    results = read_json(desk.site, "results.json")
    assert results["03-recorder"]["records"]["name"]["text"] == "a recorder"


def test_two_builds_at_once_both_end_well(desk):
    shutil.rmtree(desk.folder / "outputs")
    shutil.rmtree(desk.folder / "_build")
    with ThreadPoolExecutor(2) as pool:
        builds = list(pool.map(lambda _: desk.build(*STRICT), range(2)))
    assert [build.returncode for build in builds] == [0, 0], builds
    assert sorted(len(build.executed) for build in builds) == [0, 3]
    assert len(json.loads((desk.site / "results.json").read_text())) == 3


def test_a_figure_does_not_depend_on_the_users_settings(desk):
    own = desk.folder / "config"
    own.mkdir()
    (own / "matplotlibrc").write_text("axes.facecolor: red\n")
    code = "import matplotlib as m\nprint('face', m.rcParams['axes.facecolor'])"
    desk.write("04-clip", f"(other)=\n# Clip\n```{{code-cell}} python3\n{code}\n```\n")
    build = desk.build(*STRICT, MPLCONFIGDIR=str(own))
    assert build.returncode == 0, build.output
    assert "face white" in desk.page("04-clip")
