"""The workflows on GitHub: what they may do, and what holds back the site."""

import re
from pathlib import Path

import pytest
import yaml
from chapter_lint import ROOT

FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def workflow(name):
    file = ROOT / ".github" / "workflows" / f"{name}.yml"
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def steps(name, part):
    jobs = workflow(name)["jobs"].values()
    return [step for job in jobs for step in job["steps"] if part in str(step)]


each_workflow = pytest.mark.parametrize("name", [file.stem for file in FILES])


def test_the_site_is_published_after_lint_tests_and_browser():
    jobs = workflow("book")["jobs"]
    assert set(jobs["publish"]["needs"]) == {"execute", "check", "site"}
    assert "make check" in str(jobs["check"])
    assert "make test-site" in str(jobs["site"])
    assert "make book" not in str(jobs["site"])  # it tests the site that is published
    assert jobs["site"]["needs"] == "execute"


def test_the_pdf_that_pages_link_to_is_printed_and_published():
    jobs = workflow("book")["jobs"]
    assert jobs["execute"]["env"]["BOOK_PDF"] == "1"
    assert {"run": "make pdf"} in jobs["site"]["steps"]
    artifacts = [
        step["with"]
        for job in ("site", "publish")
        for step in jobs[job]["steps"]
        if step.get("with", {}).get("name") == "pdf"
    ]
    assert [Path(each["path"]).name for each in artifacts] == ["book.pdf", "html"]


@each_workflow
def test_nobody_types_what_a_shell_runs(name):
    trigger = workflow(name)[True]["workflow_dispatch"] if name != "ci" else None
    for setting in (trigger or {}).get("inputs", {}).values():
        assert setting["type"] in ("choice", "boolean")
    for step in steps(name, "run"):
        assert "${{" not in step.get("run", ""), "hand it over in env"


@each_workflow
def test_a_token_is_kept_from_the_code_that_runs(name):
    assert workflow(name)["permissions"] == {"contents": "read"}
    for step in steps(name, "actions/checkout"):
        assert step["with"]["persist-credentials"] is False


def test_only_publishing_may_write():
    writing = [
        (file.stem, job)
        for file in FILES
        for job, content in workflow(file.stem)["jobs"].items()
        if "permissions" in content
    ]
    assert writing == [("book", "publish")]


def test_each_workflow_keeps_its_own_data():
    keys = [
        step["with"]["key"]
        for file in FILES
        for step in steps(file.stem, "actions/cache")
    ]
    assert len(keys) == len(set(keys)) >= 3


def test_every_night_at_full_scale_and_with_the_next_torch():
    jobs = workflow("nightly")["jobs"]
    assert jobs["full"]["env"]["SCALE"] == "full"
    matrix = jobs["package"]["strategy"]["matrix"]
    assert {each["of"] for each in matrix["include"]} == {"oldest", "newest", "next"}
    assert any("macos" in each for each in matrix["os"])
    assert jobs["package"]["continue-on-error"] == "${{ matrix.of == 'next' }}"


def test_the_oldest_of_the_night_is_the_oldest_allowed():
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    [oldest, *_] = workflow("nightly")["jobs"]["package"]["strategy"]["matrix"][
        "include"
    ]
    torch = re.search(r'"torch>=([\d.]+)"', project)[1]
    python = re.search(r'requires-python = ">=(\d+\.\d+)', project)[1]
    assert oldest["torch"] == f"~={torch}.0"
    assert oldest["python"] == python
