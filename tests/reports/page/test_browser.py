"""The page in headless Chromium: every control does what it says, nothing leaves the file, axe-core finds nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from errors import DependencyError
from fusion.diagnosis import DiagnosticReport
from reports.html import HtmlReporter
from reports.page.pdf import chromium, printed

pytestmark = pytest.mark.browser
NOT_INSTALLED = "the extra browser is not installed: pip install 'whydx[browser]'"


@pytest.fixture(scope="session")
def chrome() -> str:
    """The path of a Chromium; without one tests are skipped with the reason."""
    try:
        return chromium()
    except DependencyError as error:
        pytest.skip(str(error))


@dataclass
class Opened:
    """A page with what went wrong on it and what it asked for."""

    page: Any
    address: str
    wrong: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def check(self) -> None:
        assert self.wrong == []
        assert [r for r in self.requests if not r.startswith("data:image/png;base64,")] == [self.address]


@pytest.fixture(scope="session")
def browser(chrome: str) -> Iterator[Any]:
    pytest.importorskip("playwright", reason=NOT_INSTALLED)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chrome, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def open_page(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Opened]]:
    contexts = []

    def open_it(text: str, **more: Any) -> Opened:
        path = tmp_path / "report.html"
        path.write_text(text, encoding="utf-8")
        contexts.append(browser.new_context(**{"viewport": {"width": 1200, "height": 900}} | more))
        page = contexts[-1].new_page()
        opened = Opened(page, path.as_uri())
        page.on("console", lambda message: opened.wrong.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: opened.wrong.append(str(error)))
        page.on("dialog", lambda dialog: opened.wrong.append("a dialog"))
        page.on("request", lambda request: opened.requests.append(request.url))
        page.goto(opened.address)
        return opened

    yield open_it
    for context in contexts:
        context.close()


@pytest.fixture
def opened(open_page: Callable[..., Opened], full: Callable[..., HtmlReporter], report: DiagnosticReport) -> Opened:
    return open_page(full(report).render(report))


def test_every_control_can_be_used_and_nothing_goes_wrong(opened: Opened) -> None:
    page = opened.page
    page.evaluate("window.print = () => { window.printed = true; }")
    used = 0
    for control in page.locator("button, input, summary").all():
        kind = control.get_attribute("type")
        if not control.is_visible():
            page.locator("#open-all").click()
        if kind == "range":
            control.fill("40")
        else:
            control.click()
        used += 1
    assert used >= 25
    assert page.evaluate("window.printed")
    opened.check()


def test_boxes_outlines_and_heat_maps_are_toggled(opened: Opened) -> None:
    page = opened.page
    for box in page.locator("[data-shows]").all():
        layer = page.locator(f"[data-layer='{box.get_attribute('data-shows')}']")
        before = layer.is_visible()
        assert before == box.is_checked()
        box.click()
        assert layer.is_visible() != before
    assert page.locator("[data-shows]").count() == 3


def film(page: Any) -> np.ndarray:
    for box in page.locator("[data-shows]").all():
        box.uncheck()
    return np.asarray(Image.open(BytesIO(page.locator(".film svg").screenshot())).convert("L"), float)


def test_window_and_level_change_the_greys_as_they_do_in_a_viewer(opened: Opened) -> None:
    page, before = opened.page, film(opened.page)
    page.locator("[data-window=level]").fill("100")
    page.locator("[data-window=width]").fill("50")
    expected = np.clip((before - 75) / 50 * 255, 0, 255)
    assert np.abs(film(page) - expected).mean() < 6
    assert page.locator("[data-window=width] + output").text_content() == "50"
    page.locator("[data-view=reset]").click()
    assert np.abs(film(page) - before).max() <= 1


def test_the_film_is_zoomed_and_moved_by_button_key_wheel_and_hand(opened: Opened) -> None:
    page = opened.page
    box = page.locator(".film svg")

    def view() -> list[float]:
        return [float(n) for n in (box.get_attribute("viewBox") or "").split()]

    whole = view()
    page.locator("[data-view=in]").click()
    assert view()[2] == pytest.approx(whole[2] / 1.4)
    page.locator(".film").focus()
    page.keyboard.press("+")
    page.keyboard.press("ArrowRight")
    moved = view()
    assert moved[2] == pytest.approx(whole[2] / 1.96)
    page.mouse.move(*[(box.bounding_box() or {})[k] + 60 for k in ("x", "y")])
    page.mouse.wheel(0, -100)
    page.wait_for_function("before => document.querySelector('.film svg').viewBox.baseVal.width < before", arg=moved[2])
    here = view()
    page.mouse.down()
    page.mouse.move(*[(box.bounding_box() or {})[k] + 90 for k in ("x", "y")])
    page.mouse.up()
    assert view()[0] < here[0]
    page.keyboard.press("0")
    assert view() == whole
    opened.check()


def test_a_fact_denied_shows_the_ranking_that_was_worked_out_for_it(opened: Opened) -> None:
    page = opened.page
    said = page.locator("#said")
    assert "Nothing confirmed or denied yet" in said.inner_text()
    first, second = page.locator("[data-fact='1']"), page.locator("[data-fact='2']")
    first.get_by_label("deny").check()
    assert "62 % → 10 %" in said.inner_text()
    second.get_by_label("deny").check()
    assert "62 % → 55 %" in said.inner_text()  # the pair, not one of the two
    first.get_by_label("confirm").check()
    command = said.inner_text()
    assert "No ranking was worked out beforehand" in command
    assert "whydx report REPORT --confirm 'Consolidation' --deny 'Fever' --image IMAGE --note @NOTE" in command
    first.get_by_label("as read").check()
    second.get_by_label("confirm").check()  # which the note says already
    assert "That is what was read" in said.inner_text()
    page.locator("#as-read").click()
    assert "Nothing confirmed or denied yet" in said.inner_text()
    assert second.get_by_label("as read").is_checked()
    opened.check()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark_by_system_and_by_button(
    open_page: Callable[..., Opened], report: DiagnosticReport, scheme: str
) -> None:
    page = open_page(HtmlReporter().render(report), color_scheme=scheme).page

    def lightness() -> int:
        return sum(map(int, re.findall(r"\d+", page.evaluate("getComputedStyle(document.body).backgroundColor"))[:3]))

    was = lightness()
    assert (was > 600) == (scheme == "light")
    page.locator("#theme").click()
    assert (lightness() > 600) != (was > 600)
    page.emulate_media(media="print")
    assert lightness() > 600  # on paper it is light, whatever was chosen


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
def test_axe_finds_nothing(
    open_page: Callable[..., Opened],
    full: Callable[..., HtmlReporter],
    report: DiagnosticReport,
    scheme: str,
    width: int,
) -> None:
    pytest.importorskip("axe_playwright_python", reason=NOT_INSTALLED)
    from axe_playwright_python.sync_playwright import Axe

    opened = open_page(
        full(report).render(report), color_scheme=scheme, viewport={"width": width, "height": 800}
    )  # fmt: skip
    opened.page.locator("#open-all").click()
    opened.page.locator("[data-fact='1']").get_by_label("deny").check()
    found = Axe().run(opened.page).response["violations"]
    assert [(v["id"], v["impact"], [n["html"][:120] for n in v["nodes"]]) for v in found] == []
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width


def test_by_keyboard_alone(opened: Opened) -> None:
    page = opened.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    reached = set()
    for _ in range(80):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    assert {"theme", "open-all", "as-read", "SUMMARY", "INPUT", "BUTTON", "DIV"} <= reached


def test_without_script_everything_can_be_read_and_no_dead_control_is_shown(
    open_page: Callable[..., Opened], full: Callable[..., HtmlReporter], report: DiagnosticReport
) -> None:
    page = open_page(full(report).render(report), java_script_enabled=False).page
    assert page.locator("button:visible, input:visible").count() == 0
    page.locator(".alternatives > summary").click()
    assert "62 % → 10 %" in page.locator(".alternatives").inner_text()


def test_hostile_text_does_not_run(
    open_page: Callable[..., Opened], full: Callable[..., HtmlReporter], report: DiagnosticReport
) -> None:
    payload = '</text></svg></script><img src=x onerror=alert(1)><script>alert(1)</script>" onfocus="alert(1)'
    opened = open_page(full(report, payload).render(report))
    opened.page.locator("#open-all").click()
    opened.page.locator("[data-fact='2']").get_by_label("deny").check()
    opened.check()


@pytest.mark.usefixtures("chrome")
def test_the_pdf_has_every_section_opened(full: Callable[..., HtmlReporter], report: DiagnosticReport) -> None:
    data = printed(full(report).render(report))
    assert data.startswith(b"%PDF-")
    assert data.rstrip().endswith(b"%%EOF")
    assert len(re.findall(rb"/Type\s*/Page\b", data)) >= 2
