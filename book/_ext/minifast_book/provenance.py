"""The footer of an executed page: on what, when and with which versions it ran."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minifast_book.harvest import Page


def footer(page: Page) -> str:
    """Write it as HTML; a page without a stamp gets what the build itself knows."""
    facts = page.provenance or {}
    device = facts.get("device") or "an unknown device"
    day = f"{page.executed:%Y-%m-%d}" if page.executed else "an unknown day"
    summary = f"Executed on {device} on {day}, in {page.seconds:.0f} s"
    rows = "".join(
        f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in _rows(page)
    )
    return (
        '<aside class="provenance" aria-label="How this page was made">'
        f"<details><summary>{escape(summary)}</summary>"
        f"<dl>{rows}</dl>"
        "<p>Every figure, number and claim above comes from that run.</p>"
        "</details></aside>"
    )


def _rows(page: Page) -> list[tuple[str, str]]:
    facts = page.provenance or {}
    versions = facts.get("versions", {})
    rows = {
        "Device": facts.get("device"),
        "Processor": facts.get("cpu"),
        "Threads": facts.get("threads"),
        "System": facts.get("platform"),
        "Executed": f"{page.executed:%Y-%m-%d %H:%M} UTC" if page.executed else None,
        "Run time": f"{page.seconds:.1f} s",
        "Scale": facts.get("scale"),
        "Versions": ", ".join(f"{name} {of}" for name, of in versions.items()),
        "Commit": facts.get("commit"),
        "Data mode": facts.get("data_mode"),
    }
    data = "<br>".join(escape(each) for each in facts.get("data", []))
    told = [(name, escape(str(value))) for name, value in rows.items() if value]
    return [*told, ("Data", data or "none")]
