"""How long a report takes to write in each format, and what the page with everything takes to work out:
``python -m benchmarks.page [--home HOME] [--screenshots FOLDER]``, on the phantom with a note. Wall clock and processor
time, the best of five (working out: once). With ``--screenshots`` (the extra browser, Debian's chromium) also the
figures of docs/page.md: the page in light, in dark, and on paper."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import whydx
from benchmarks.machine import stamp
from reports.html import HtmlReporter, PdfReporter
from reports.json import dumps
from reports.page.pdf import chromium
from reports.reporter import FORMATS, reporter
from reports.table import render
from reports.text import as_text
from vision.phantom.radiograph import write_phantom

NOTE = (
    "61-year-old woman with fever and productive cough, no haemoptysis. Penicillin allergy. Blorbing in the left toe."
)
WORKING = ("pulmonary embolism", "pneumonia", "lung cancer")
RUNS = 5
_WIDE, _HIGH = 960, 1180


def seconds(work: Callable[[], Any], runs: int = RUNS) -> tuple[float, float, Any]:
    """The best wall-clock and processor seconds of ``runs``, and what the last gave."""
    wall, processor, given = [], [], None
    for _ in range(runs):
        started, before = time.perf_counter(), time.process_time()
        given = work()
        wall.append(time.perf_counter() - started)
        processor.append(time.process_time() - before)
    return min(wall), min(processor), given


def screenshots(text: str, folder: Path) -> None:
    """page-light.png, page-dark.png and page-print.png, with a palette so that they stay small."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        source = Path(name) / "report.html"
        source.write_text(text, encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        for kind in ("light", "dark", "print"):
            scheme: Any = "dark" if kind == "dark" else "light"
            page = browser.new_page(viewport={"width": _WIDE, "height": _HIGH}, color_scheme=scheme)
            page.goto(source.as_uri())
            if kind == "print":
                page.emulate_media(media="print")
            if kind == "dark":
                page.locator("[data-fact]").first.get_by_label("deny").check()
                page.locator("#anew").scroll_into_view_if_needed()
                page.evaluate("document.getElementById('anew').scrollIntoView()")
            page.screenshot(path=folder / f"page-{kind}.png")
            _small(folder / f"page-{kind}.png")
        browser.close()


def _small(path: Path) -> None:
    from PIL import Image

    Image.open(path).convert("RGB").quantize(224, dither=Image.Dither.NONE).save(path, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--home", type=Path)
    parser.add_argument("--screenshots", type=Path, metavar="FOLDER")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        film = write_phantom(Path(name) / "phantom.dcm")
        dx = whydx.open(arguments.home)
        report = dx.diagnose(film, note=NOTE, audited=False)
        rows: list[tuple[str, float, float]] = []

        def timed(what: str, work: Callable[[], Any], runs: int = RUNS) -> Any:
            wall, processor, given = seconds(work, runs)
            rows.append((what, wall, processor))
            return given

        timed("diagnose, nothing else asked for", lambda: dx.diagnose(film, note=NOTE, audited=False), 2)
        pictures = timed("--with-image: heat maps, and whether they beat chance", lambda: dx.pictures(report), 1)
        answers = timed("--with-answers", lambda: dx.answers(report), 1)
        working = timed(f"--working, {len(WORKING)} names", lambda: dx.working(report, WORKING), 1)
        full = {"pictures": pictures, "answers": answers, "working": working, "note": NOTE}
        timed("table", lambda: as_text(report, render))
        timed("json", lambda: dumps(report))
        for layout in FORMATS:
            timed(layout, partial(reporter(layout).render, report))
        page = timed("html with image, note, answers and working", lambda: HtmlReporter(**full).render(report))
        timed("pdf", lambda: PdfReporter().render(report), 2)
    print(f"{stamp()}\n\n| what | wall clock, s | processor, s |\n|---|---|---|")
    for what, wall, processor in rows:
        print(f"| {what} | {wall:.3f} | {processor:.3f} |")
    print(
        f"\nThe page with everything: {len(page) / 1e3:.0f} kB, {len(answers.revisions)} rankings with facts changed."
    )
    if arguments.screenshots:
        screenshots(page, arguments.screenshots)


if __name__ == "__main__":
    main()
