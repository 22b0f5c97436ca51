"""A book without faults: what is built, and what a second build does not do again.

The builds follow each other in one folder, as they do at a writer's desk.
"""

import filecmp
import re
import shutil

import nbformat
import pytest
from fixture_book import STRICT, FixtureBook, read_json
from nbclient import NotebookClient

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    return FixtureBook("good", tmp_path_factory.mktemp("good"))


@pytest.fixture(scope="module")
def first(book):
    build = book.build(*STRICT)
    shutil.copytree(book.site, book.folder / "first")
    return build


@pytest.fixture(scope="module")
def after_prose(book, first):
    """A second build, after a change that touches no cell."""
    page = book.sources / "01-first.md"
    book.edit(page, "Look at", "Look carefully at")
    build = book.build(*STRICT)
    shutil.copytree(book.site, book.folder / "after-prose")
    return build


@pytest.fixture(scope="module")
def after_package(book, after_prose):
    """A third build, after a change in the package."""
    book.edit(book.package / "__init__.py", "__version__", "# new\n__version__")
    return book.build(*STRICT)


@pytest.fixture(scope="module")
def without_claim(book, after_package):
    """Two more builds, after the first of two claims was taken away."""
    page = book.sources / "01-first.md"
    text = page.read_text(encoding="utf-8")
    book.edit(page, 'claim("Two and two are four.", 2 + 2 == 4)', "")
    builds = [book.build(*STRICT) for _ in range(2)]
    page.write_text(text, encoding="utf-8")
    return builds


@pytest.fixture(scope="module")
def in_repository(book, without_claim):
    """Another build, on GitHub."""
    return book.build(*STRICT, GITHUB_REPOSITORY="Someone/my-book", GITHUB_SHA=COMMIT)


@pytest.fixture(scope="module")
def rebuilt(book, first, in_repository):
    """The first site again, from its outputs, in spite of the changed package."""
    book.edit(book.sources / "01-first.md", "Look carefully at", "Look at")
    fingerprint = read_json(book.folder / "first", "execution.json")["fingerprint"]
    shutil.rmtree(book.folder / "_build")
    return book.build(*STRICT, BOOK_FINGERPRINT=fingerprint)


@pytest.fixture(scope="module")
def rebuilt_with_new_cell(book, rebuilt):
    """Two builds from outputs that do not cover a changed cell."""
    fingerprint = read_json(book.folder / "first", "execution.json")["fingerprint"]
    book.edit(book.sources / "01-first.md", "3 + 4", "4 + 3")
    return [book.build(BOOK_FINGERPRINT=fingerprint) for _ in range(2)]


def test_it_builds_without_a_warning(first):
    assert first.returncode == 0, first.output
    assert "WARNING" not in first.output
    assert first.executed == ["01-first"]


def test_the_end_of_a_build_names_pages_and_place(first):
    assert re.search(r"01-first +\d+\.\d s +\d+ KB +executed", first.output)
    assert "The site: " in first.output
    assert "index.html" in first.output


def test_a_recorded_value_is_in_the_prose(book, first):
    assert '<span class="pasted-text">41,200</span>' in book.page("01-first")


def test_numbers_of_chapter_figure_and_equation_agree(book, first):
    page = book.page("01-first")
    assert re.search(r'section-number">1\. </span>The first chapter', page)
    assert "Fig. 1.1" in page
    assert 'href="#equation-eq-a">(1.1)</a>' in page


def test_the_footer_says_where_the_page_was_made(book, first):
    [footer] = re.findall(
        r"<aside[^>]*provenance.*?</aside>", book.page("01-first"), re.S
    )
    for word in ("Executed", "Device", "torch", "Scale", "small", "standin"):
        assert word in footer
    assert "<aside" not in re.sub(r"<aside[^>]*warning", "", book.page("index"))


def test_execution_json(book, first):
    execution = read_json(book.folder / "first", "execution.json")
    assert re.fullmatch(r"[0-9a-f]{16}", execution["fingerprint"])
    assert execution["depends_on"]["scale"] == "small"
    assert set(execution["pages"]) == {"01-first"}
    page = execution["pages"]["01-first"]
    assert page["succeeded"]
    assert page["title"] == "The first chapter"
    assert page["executed"].endswith("+00:00")
    assert 0 < page["seconds"] == pytest.approx(execution["seconds"], abs=0.1)
    assert 10_000 < page["bytes"] < 1_500_000
    assert page["provenance"]["data_mode"] == "standin"


def test_results_json(book, first):
    assert read_json(book.site, "results.json") == {
        "01-first": {
            "records": {"ratio": {"value": 41234.5, "text": "41,200"}},
            "claims": ["Two and two are four."],
        }
    }


def test_the_table_of_executed_pages(book, first):
    [table] = re.findall(r"<table.*?</table>", book.page("index"), re.S)
    assert 'href="01-first.html"' in table
    assert "<td><p>1</p></td>" in table


def test_no_page_loads_anything_from_another_host(book, first):
    pages = list(book.site.rglob("*.html"))
    assert len(pages) > 3
    loading = re.compile(
        r"<(?:script|img|iframe|source)\b[^>]*\bsrc=[\"']?(?:https?:)?//"
    )
    styles = re.compile(r"<link\b[^>]*\brel=[\"']?(?:stylesheet|preload|icon)[^>]*//")
    for page in pages:
        html = page.read_text(encoding="utf-8")
        assert not loading.search(html), page
        assert not styles.search(html), page


def test_mathematics_comes_with_the_site(book, first):
    mathjax = book.site / "_static" / "mathjax"
    assert 'src="_static/mathjax/tex-chtml.js' in book.page("01-first")
    assert (mathjax / "tex-chtml.js").exists()
    assert list(mathjax.rglob("MathJax_Main-Regular.woff"))
    assert (
        sum(file.stat().st_size for file in mathjax.rglob("*") if file.is_file()) < 3e6
    )


def test_a_page_loads_nothing_that_it_does_not_use(book, first):
    pages = {page.stem: book.page(page.stem) for page in book.site.glob("*.html")}
    assert not [name for name in pages if "fontawesome" in pages[name]]
    assert [name for name in pages if "/tex-chtml.js" in pages[name]] == ["01-first"]
    assert [name for name in pages if "searchindex.js" in pages[name]] == ["search"]
    assert all('name="viewport"' in page for page in pages.values())
    assert all("bootstrap.js" in page for page in pages.values())
    sheet = (book.site / "_static" / "icons.css").read_text(encoding="utf-8")
    assert 'font-family: "Book Icons"' in sheet


def test_the_notebook_is_executed_and_readable(book, first):
    notebook = book.notebook("01-first")
    nbformat.validate(notebook)
    cells = notebook.cells
    printed = [out for cell in cells for out in cell.get("outputs", [])]
    assert any(out.get("text") == "the sum is 7\n" for out in printed)
    assert any("image/svg+xml" in out.get("data", {}) for out in printed)
    assert not any(
        "papermill" in mime for out in printed for mime in out.get("data", {})
    )
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    assert "The ratio is 41,200, see the docs" in text  # which have no address here
    assert "Look at Fig. 1.1 and (1.1)." in text
    assert "\\mathbb{R} \\cdot \\operatorname{Var}(b)\n\\tag{1.1}" in text
    assert "**Fig. 1.1.** The line of (1.1)." in text
    assert "### Exercise 1.2\n\nWhat is three times four?" in text
    assert not re.search(
        r"^(`{3,}|:{3,})\s*\{|\{[a-z:]+\}`|:label:", text, re.MULTILINE
    )


def test_the_notebook_runs_where_only_the_package_is_installed(book, first):
    notebook = book.notebook("01-first")
    assert "`pip install '.[viz]'`" in notebook.cells.pop(0).source
    then = [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]
    NotebookClient(
        notebook, timeout=60, resources={"metadata": {"path": "/"}}
    ).execute()
    now = [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]
    printed = {"name": "stdout", "output_type": "stream", "text": "the sum is 7\n"}
    assert [printed] in then
    assert [printed] in now


def test_a_notebook_is_offered(book, first):
    assert 'href="_sources/01-first.ipynb"' in book.page("01-first")


def test_a_site_names_no_repository_but_its_own(book, first):
    for path in book.site.rglob("*"):
        if path.suffix in (".html", ".ipynb", ".xml", ".json"):
            text = path.read_text(encoding="utf-8")
            assert "github.com" not in text, path
            assert "github.io" not in text, path
            assert "%pip" not in text, path


def test_a_site_names_its_own_repository(book, in_repository):
    assert in_repository.returncode == 0, in_repository.output
    page = book.page("01-first")
    assert 'href="https://github.com/Someone/my-book"' in page
    assert (
        'href="https://colab.research.google.com/github/Someone/my-book/blob/'
        'notebooks/01-first.ipynb"' in page
    )
    assert 'content="https://someone.github.io/my-book/01-first.html"' in page
    assert "someone.github.io/my-book/01-first.html" in (
        book.site / "sitemap.xml"
    ).read_text(encoding="utf-8")
    assert book.notebook("01-first").cells[0].source == (
        f'%pip install -q "minifast[viz] @ git+https://github.com/Someone/my-book@{COMMIT}"'
    )


def test_exercises_share_no_id(book, first):
    ids = re.findall(r'\bid="([^"]+)"', book.page("01-first"))
    assert "ex-sum" in ids
    assert len(ids) == len(set(ids))


def test_a_change_of_prose_executes_nothing(book, after_prose):
    assert after_prose.returncode == 0, after_prose.output
    assert after_prose.kept == ["01-first"]
    assert after_prose.executed == []
    assert re.search(r"^  01-first \d", after_prose.output, re.M)  # read, for no reason


def test_kept_outputs_give_the_same_notebook_and_results(book, after_prose):
    for name in ("results.json", "_sources/01-first.ipynb"):
        then = (book.folder / "first" / name).read_text(encoding="utf-8")
        now = (book.folder / "after-prose" / name).read_text(encoding="utf-8")
        assert now == then.replace("Look at", "Look carefully at")


def test_a_change_of_the_package_executes_again(after_package):
    assert after_package.returncode == 0, after_package.output
    assert after_package.executed == ["01-first"]
    assert "01-first (changed: minifast) " in after_package.output


def test_a_claim_that_is_gone_is_told_once(after_package, without_claim):
    told = r"The last build claimed what this one does not:\n  \S*01-first\.md: Two and"
    now, later = without_claim
    assert now.returncode == later.returncode == 0
    assert not re.search(told, after_package.output)
    assert re.search(told, now.output), now.output
    assert not re.search(told, later.output)


def test_a_site_is_rebuilt_from_its_outputs(book, rebuilt):
    assert rebuilt.returncode == 0, rebuilt.output
    assert rebuilt.executed == []
    first = book.folder / "first"
    files = [path.relative_to(first) for path in first.rglob("*") if path.is_file()]
    equal, different, missing = filecmp.cmpfiles(first, book.site, files, shallow=False)
    assert len(equal) > 50
    assert not different + missing


def test_a_rebuild_that_would_execute_fails_each_time(rebuilt_with_new_cell):
    for build in rebuilt_with_new_cell:
        assert build.returncode == 1
        assert "was executed, though BOOK_FINGERPRINT asks for kept" in build.output
