"""What executed pages say about their making, and the files that say it to programs."""

import json
import re
from urllib.parse import unquote

import nbformat
import pytest
from built_book import EXECUTED, ROOT, parsed_page, require_site

pytestmark = pytest.mark.site


def facts(name: str) -> dict:
    return json.loads((require_site() / name).read_text(encoding="utf-8"))


def footer(page: str) -> dict[str, str]:
    """Return the rows of the page's footer."""
    rows = parsed_page(page).select("aside.provenance dl > div")
    return {row.dt.text: row.dd.get_text("\n") for row in rows}


def notebook_link(page: str) -> str:
    return parsed_page(page).select_one("a.btn-download-notebook-button")["href"]


def notebook(page: str) -> nbformat.NotebookNode:
    path = (require_site() / f"{page}.html").parent / unquote(notebook_link(page))
    return nbformat.read(path, as_version=4)


def test_the_files_list_exactly_the_executed_pages():
    assert set(facts("execution.json")["pages"]) == set(EXECUTED)
    assert set(facts("results.json")) == set(EXECUTED)


@pytest.mark.parametrize("page", EXECUTED)
def test_the_execution_of_each_page_succeeded(page):
    execution = facts("execution.json")["pages"][page]
    assert execution["succeeded"]
    assert execution["title"] in parsed_page(page).h1.text


@pytest.mark.parametrize("page", EXECUTED)
def test_the_footer_names_machine_versions_and_data(page):
    told, rows = facts("execution.json")["pages"][page]["provenance"], footer(page)
    assert rows["Device"] == told["device"]
    assert rows["Data"].split("\n") == (told["data"] or ["none"])
    assert told["versions"].keys() >= {"python", "torch", "minifast"}
    for name, version in told["versions"].items():
        assert f"{name} {version}" in rows["Versions"]


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="only a clone has commits")
@pytest.mark.parametrize("page", EXECUTED)
def test_the_footer_names_the_commit(page):
    assert re.match(r"[0-9a-f]{7}", footer(page)["Commit"])


@pytest.mark.parametrize("page", EXECUTED)
def test_the_page_shows_each_claim_of_the_results(page):
    shown = [each.text for each in parsed_page(page).select(".claim")]
    claims = facts("results.json")[page]["claims"]
    assert shown == [f"Checked {claim}" for claim in claims]


@pytest.mark.parametrize("page", EXECUTED)
def test_numbers_in_the_text_are_those_of_the_results(page):
    records = facts("results.json")[page]["records"].values()
    shown = {each.text for each in parsed_page(page).select(".pasted-text")}
    assert shown <= {record["text"] for record in records}


@pytest.mark.parametrize("page", EXECUTED)
def test_the_notebook_is_executed(page):
    document = notebook(page)
    nbformat.validate(document)
    code = [cell for cell in document.cells if cell.cell_type == "code"]
    cells = [cell for cell in code if "install" not in cell.metadata.get("tags", ())]
    assert all(cell.execution_count for cell in cells)
    shown = len(parsed_page(page).select("div.cell_output"))
    assert sum(bool(cell.outputs) for cell in cells) >= shown > 0


def repository(page: str) -> str:
    """Return ``owner/name`` of the repository that a page leads to, if it is known."""
    button = parsed_page(page).select_one("a.btn-source-repository-button")
    return (
        button["href"].removeprefix("https://github.com/").strip("/") if button else ""
    )


@pytest.mark.parametrize("page", EXECUTED)
def test_the_notebook_shows_no_raw_markup(page):
    cells = [cell for cell in notebook(page).cells if cell.cell_type == "markdown"]
    text = "\n".join(re.sub(r"(`+)(?!`).+?\1", "`", cell.source) for cell in cells)
    raw = r"\{[a-z:-]+\}`|^(?:`{3,}|:{3,})\{|:label:|\]\((?!https://)|\$\$ \(|<!--"
    assert re.findall(raw, text, re.MULTILINE) == []
    assert text.count("<details>") == text.count("</details>")


@pytest.mark.parametrize("page", EXECUTED)
def test_the_notebook_first_installs_the_package_or_says_how(page):
    first = notebook(page).cells[0]
    if known := repository(page):
        install = (
            rf'%pip install .*"minifast\[viz\] @ git\+https://github.com/{known}@\w+"'
        )
        assert re.fullmatch(install, first.source)
    else:
        assert first.cell_type == "markdown"
        assert "`pip install '.[viz]'`" in first.source


@pytest.mark.parametrize("page", EXECUTED)
def test_colab_opens_the_notebook_from_the_repository_if_there_is_one(page):
    links = parsed_page(page).select('a[href^="https://colab.research.google.com/"]')
    known, host = repository(page), "https://colab.research.google.com/github/"
    pages = [f"{host}{known}/blob/notebooks/{page}.ipynb"] if known else []
    assert [link["href"] for link in links] == pages
