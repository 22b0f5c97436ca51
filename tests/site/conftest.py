"""The built book, served below its public path, and Chromium with the network cut."""

import sys
from contextlib import suppress
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from built_book import (
    CONTENTS,
    REPORT,
    SERVICES,
    Missing,
    require_site,
    serving,
)
from chromium import (
    PHONE,
    Visit,
    axe_script,
    chromium,
    find_program,
    visiting,
)
from playwright.sync_api import Error


@pytest.fixture(scope="session", autouse=True)
def site():
    """Folder of the built site."""
    return demand(require_site)


@pytest.fixture(scope="session")
def base():
    """Address of the served site, with a slash at its end."""
    with serving() as address:
        yield address


@pytest.fixture(scope="session")
def browser():
    demand(find_program)
    with chromium() as started:
        yield started


@pytest.fixture(scope="session")
def axe():
    """Source of axe-core, which checks pages for readers with disabilities."""
    return axe_script()


@pytest.fixture(scope="session", params=[*CONTENTS, *SERVICES])
def opened(request, browser, base):
    """One page of the site, opened once for all tests that only look at it."""
    with visiting(browser, base) as visit:
        visit.go(request.param)
        yield visit


@pytest.fixture
def visit(browser, base):
    """A window in which a test may do as it likes."""
    with visiting(browser, base) as started:
        yield started


@pytest.fixture
def phone(browser, base):
    """A window of a phone, with fingers instead of a mouse."""
    with visiting(browser, base, **PHONE, is_mobile=True, has_touch=True) as started:
        yield started


def demand(find):
    """Find what the tests need, or end them with one line that says how to get it."""
    try:
        return find()
    except Missing as missing:
        pytest.exit(str(missing), returncode=1)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Keep a picture of what a failed test saw."""
    report = yield
    if report.failed and call.when == "call":
        for each in getattr(item, "funcargs", {}).values():
            if isinstance(each, Visit):
                picture = REPORT / f"{item.name.replace('/', '-')}.png"
                with suppress(Error):  # the page may be gone
                    each.page.screenshot(path=picture)
                    report.sections.append(("What the browser showed", str(picture)))
    return report


def pytest_terminal_summary(terminalreporter):
    """Print what the tests measured."""
    for report in terminalreporter.stats.get("passed", ()):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{name}: {value}")
