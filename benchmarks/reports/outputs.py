"""What an output costs: ``python -m benchmarks.reports.outputs [--home HOME] [--against TREE]``.

Each format of one report (the phantom's, and the same on a film of 3,000 × 3,000 pixels), in a warm process, the best
of ``--runs`` in processor seconds, which other work on the machine stretches less. Heat maps count as they are written;
to look at the film again and test whether a map beats chance is a row of its own.

With ``--home`` also `whydx diagnose` in a process of its own; with ``--against`` the same command of another tree in
turn with it (a worktree of the commit before), so that a slower start or a heavier import is seen.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from benchmarks.architecture import REPOSITORY
from benchmarks.machine import stamp
from fusion.diagnosis import Diagnosis, DiagnosticReport, Evidence
from ontologies.concept import Concept
from vision.finding import LABEL_CURIES, LABELS, BoundingBox, Finding

RUNS = 5
LIMIT = 0.5
NOTE = "61-year-old woman with fever and productive cough"
ROWS, COLUMNS = 3000, 3000


def report_of(uid: str, rows: int, columns: int) -> DiagnosticReport:
    """As long as `whydx diagnose` makes them: 14 findings of the image, 5 of a note, 5 diagnoses of 14 pieces each."""
    box = BoundingBox(x=columns / 8, y=rows / 8, width=columns / 3, height=rows / 3)
    seen = [
        Finding(
            label=label,
            presence="present" if n < 3 else "absent",
            probability=0.5 / (n + 1),
            threshold=0.1,
            box=box if n < 3 else None,
            laterality="right" if n < 3 else None,
            concept=Concept(curie=LABEL_CURIES[label], name=label),
            sop_instance_uid=uid,
        )
        for n, label in enumerate(LABELS)
    ]
    told = [
        Finding(label=f"Sign {n}", presence="present", origin="note", concept=Concept(curie=f"CHEST:s{n}", name="Sign"))
        for n in range(5)
    ]
    pieces = tuple(
        Evidence(
            kind="finding", reference=f"CHEST:s{n}", text="a sentence of some words", stance="supports", weight=0.1
        )
        for n in range(14)
    )
    diagnoses = tuple(
        Diagnosis(
            concept=Concept(curie=f"CHEST:d{n}", name=f"Disease {n}"),
            probability=0.15,
            rank=n,
            score=1.0,
            evidence=pieces,
            conformal_member=n < 3,
        )
        for n in range(1, 6)
    )
    return DiagnosticReport(findings=(*seen, *told), diagnoses=diagnoses, none_of_these=0.25, provenance={"whydx": "x"})


def big(path: Path, source: Path) -> Path:
    """The phantom's film stretched to ROWS × COLUMNS."""
    import numpy as np
    import pydicom
    from PIL import Image

    data = pydicom.dcmread(source)
    stretched = np.asarray(Image.fromarray(data.pixel_array.astype(np.float32)).resize((COLUMNS, ROWS)))
    data.Rows, data.Columns, data.PixelData = (
        ROWS,
        COLUMNS,
        stretched.clip(0, 2**data.BitsStored - 1).astype("<u2").tobytes(),
    )
    data.save_as(path)
    return path


def outputs(film: Path) -> Mapping[str, Callable[[], object]]:
    """Each output of a report of ``film``, with outlines and heat maps that are there already."""
    import numpy as np

    from reports import overlay
    from reports.dicom import capture, pdf, presentation, segments, sr
    from reports.dicom.placement import Placement, written
    from reports.dicom.source import read_source
    from reports.html import HtmlReporter
    from reports.json import dumps
    from reports.page.picture import picture
    from reports.reporter import FORMATS, reporter
    from reports.table import render
    from reports.text import as_text
    from vision.image import load_image

    source, image = read_source(film), load_image(film)
    report = report_of(source.uid, *image.pixels.shape)
    place = Placement.of(report, [source])
    share = np.pad(np.ones((64, 40), np.float32), ((32, 32), (40, 48)))
    organs = dict.fromkeys(("right_lung", "left_lung", "heart"), share)
    maps = dict.fromkeys(LABELS[:3], share[::8, ::8])
    here = [finding for finding in report.findings if finding.box]
    made: dict[str, Callable[[], object]] = {
        "table": lambda: as_text(report, render),
        "json": lambda: dumps(report),
    }
    for name in FORMATS:
        if name != "pdf":
            made[name] = lambda name=name: reporter(name).render(report)  # type: ignore[misc]
    shown = (report.findings, maps, organs)
    made["html with the film"] = lambda: HtmlReporter(pictures=[picture(image, *shown)]).render(report)
    made["png: detect --overlay"] = lambda: overlay.draw(image.pixels, *shown)
    return made | {
        "dicom: SR": lambda: written(sr.document(place)),
        "dicom: outlines": lambda: written(segments.organs(place, source, organs)),
        "dicom: three heat maps": lambda: written(segments.heat(place, source, here, maps)),
        "dicom: boxes": lambda: written(presentation.boxes(place, source, here)),
        "dicom: picture": lambda: written(
            capture.capture(place, source, capture.picture(report, image, source, organs))
        ),
        "dicom: PDF of 1 MB": lambda: written(pdf.encapsulated(place, b"%PDF-1.4" + bytes(10**6))),
    }


def best(run: Callable[[], object], runs: int = RUNS) -> float:
    """The fewest processor seconds of ``runs``, after one that warms up."""
    run()
    taken = []
    for _ in range(runs):
        started = time.process_time()
        run()
        taken.append(time.process_time() - started)
    return min(taken)


def looking(film: Path) -> float:
    """Seeing a film of a report again, with the test of its one heat map."""
    from reports.dicom.archive import look
    from reports.dicom.source import read_source
    from vision.detector import Detector

    source, detector = read_source(film), Detector.open()
    report = report_of(source.uid, 768, 768)
    one = replace(report, findings=report.findings[:1], provenance={})
    return best(lambda: look(detector, source, one), 2)


def diagnosing(trees: Mapping[str, Path], home: Path, film: Path, runs: int = RUNS) -> Iterator[tuple[str, float]]:
    """The fewest processor seconds of `whydx diagnose` in each tree, taken in turn."""
    taken: dict[str, list[float]] = {name: [] for name in trees}
    command = [sys.executable, "-c", "from cli import main; main()", "diagnose", str(film), "--note", NOTE]
    for _ in range(runs):
        for name, tree in trees.items():
            used = resource.getrusage(resource.RUSAGE_CHILDREN)
            environment = {**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
            subprocess.run([*command, "--home", str(home)], check=True, capture_output=True, cwd=tree, env=environment)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            taken[name].append(after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime)
    for name, seconds in taken.items():
        yield name, min(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--home", type=Path, help="a built home: also time whydx diagnose")
    parser.add_argument("--against", type=Path, help="another tree, for whydx diagnose")
    parser.add_argument("--runs", type=int, default=RUNS)
    given = parser.parse_args()
    from vision.phantom.radiograph import write_phantom

    with tempfile.TemporaryDirectory() as folder:
        phantom = write_phantom(Path(folder) / "phantom.dcm")
        films = (phantom, big(Path(folder) / "big.dcm", phantom))
        print(f"{stamp()}, processor seconds\n\n| output | 768 × 768 | {ROWS} × {COLUMNS} |\n|---|---|---|")
        small, large = ({name: best(run, given.runs) for name, run in outputs(film).items()} for film in films)
        for name in small:
            print(f"| {name} | {small[name]:.3f} | {large[name]:.3f} |", flush=True)
        over = [name for name in small if max(small[name], large[name]) > LIMIT]
        print(f"\nover {LIMIT} s: {', '.join(over) or 'none'}")
        print(f"looking at the film again, one heat map tested: {looking(phantom):.2f} s", flush=True)
        if given.home:
            trees = {"this tree": REPOSITORY, **({"the other": given.against} if given.against else {})}
            for name, seconds in diagnosing(trees, given.home.resolve(), phantom, given.runs):
                print(f"whydx diagnose, {name}: {seconds:.2f} s")


if __name__ == "__main__":
    main()
