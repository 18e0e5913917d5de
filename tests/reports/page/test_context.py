"""The page shows what its context documents, no more and no less; and nothing in it runs or leaves its place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path

import pytest
from jinja2 import meta
from lxml import html

from fusion.diagnosis import DiagnosticReport
from reports.html import HtmlReporter, template
from reports.page.context import PageContext, documentation

REPOSITORY = Path(__file__).resolve().parents[3]
Full = Callable[..., HtmlReporter]
HOSTILE = (
    "<script>alert(1)</script>",
    "</title></style></script><script>alert(1)</script>",
    "</text></svg><img src=x onerror=alert(1)>",
    '" onload="alert(1)" x="',
    "' onfocus='alert(1)' x='",
    "javascript:alert(1)",
    "{{ 7*7 }}{% raw %}",
    "<!--",
    "]]><![CDATA[",
    "&lt;script&gt;&#60;",
    "\x1b]8;;http://evil.example\x07\u202e",
    "url(http://evil.example/x.png)",
)


def rendered() -> set[str]:
    """The variables that the template asks for."""
    own = template()
    assert own.filename is not None
    tree = own.environment.parse(Path(own.filename).read_text(encoding="utf-8"))
    return meta.find_undeclared_variables(tree) - set(own.environment.globals)


def test_the_template_renders_what_the_context_documents() -> None:
    assert rendered() == {field.name for field in fields(PageContext)}


def test_the_documentation_is_that_of_the_context() -> None:
    assert documentation() in (REPOSITORY / "docs" / "page.md").read_text(encoding="utf-8")


def attributes(text: str) -> list[tuple[str, Sequence[str]]]:
    return [(str(e.tag), sorted(e.attrib)) for e in html.document_fromstring(text).iter()]


@pytest.mark.parametrize("payload", HOSTILE, ids=range(len(HOSTILE)))
def test_what_pictures_answers_names_and_note_hold_is_text(full: Full, report: DiagnosticReport, payload: str) -> None:
    page, harmless = (full(report, text).render(report) for text in (payload, "harmless"))
    assert attributes(page) == attributes(harmless)
    assert len(html.document_fromstring(page).xpath("//script")) == 1
    assert not any(mark in page for mark in "\x1b\x07\u202e")


def test_everything_that_is_asked_for_is_on_the_page(full: Full, report: DiagnosticReport) -> None:
    root = html.document_fromstring(full(report).render(report))
    text = " ".join(root.text_content().split())
    for said in ("Why not Sarcoidosis?", "What if there were Sarcoidosis? 0.20 bits, sign", "The two part at place 1"):
        assert said in text
    assert root.xpath("//*[@data-key]/@data-key") == ["1:absent", "2:absent", "1:absent 2:absent"]
    groups = root.xpath("//*[@role='radiogroup']")
    assert [group.get("data-name") for group in groups] == ["Consolidation", "Fever"]
    ids = root.xpath("//@id")
    assert len(ids) == len(set(ids))
    assert set(root.xpath("//@aria-labelledby")) <= set(ids)


def test_nothing_that_is_not_asked_for_is_on_the_page(report: DiagnosticReport) -> None:
    root = html.document_fromstring(HtmlReporter().render(report))
    assert not root.xpath("//*[@data-viewer] | //*[@role='radiogroup'] | //*[@class='note']")
    for name in ("why-not", "what-if", "working", "anew"):
        assert not root.xpath(f"//*[@id='{name}']")
