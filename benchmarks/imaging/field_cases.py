"""The image cases of field_cases, files built after public bug reports: ``python -m benchmarks.imaging.field_cases``.

Each file is read and looked at as ``whydx detect`` does it, and compared with what its case says is right: the same
findings as on the plain film (no probability more than .05 away, which is what a film of 8 bits loses), a lateral view
refused, the side, the age, a study whose lateral view is named as not used, and pydicom's own samples refused without a
traceback.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks.machine import shared_data, stamp
from errors import InputError
from vision.detector import Detection, Detector
from vision.image import is_image, load_image
from vision.intake.study import one_study

_PLAIN = "25-two-view-study/base.dcm"
_MOST_APART = 0.05
_AGES = {"kid_008Y": 8.0, "kid_8Y": 8.0, "ok": 61.0, "plain": 61.0, "short": 61.0}
Outcome = tuple[str, bool, str]  # the file, whether it is as it should be, what was seen
Check = Callable[[Detector, Path, Detection], Iterator[Outcome]]


def seen(detector: Detector, path: Path) -> Detection | str:
    """What is seen on a file, or why it cannot be read."""
    try:
        return detector.detect(load_image(path))
    except InputError as error:
        return str(error)


def inputs(case: Path) -> list[Path]:
    return sorted(p for p in case.rglob("*") if p.is_file() and p.name != "case.json")


def as_plain(detector: Detector, case: Path, plain: Detection) -> Iterator[Outcome]:
    """The same findings as on the film as it should have been stored."""
    for path in inputs(case):
        found = seen(detector, path)
        if isinstance(found, str) or found.refused:
            yield path.name, False, found if isinstance(found, str) else f"refused: {found.refused}"
            continue
        apart = max(abs(found.scores[label] - p) for label, p in plain.scores.items())
        yield path.name, apart <= _MOST_APART, f"read; a probability is {apart:.3f} away from the plain film's at most"


def lateral(detector: Detector, case: Path, plain: Detection) -> Iterator[Outcome]:
    for path in inputs(case):
        found = seen(detector, path)
        said = found if isinstance(found, str) else found.refused or "read as a frontal film"
        yield path.name, said == "lateral_view", said


def side(detector: Detector, case: Path, plain: Detection) -> Iterator[Outcome]:
    """Pneumonia is on the right, also where the film is stored mirrored; the computed film is as it was."""
    computed = {f.label: f.laterality for f in plain.findings}["Pneumonia"]
    for path in inputs(case):
        found = seen(detector, path)
        if isinstance(found, str) or found.refused:
            yield path.name, False, str(found if isinstance(found, str) else found.refused)
            continue
        told = {f.label: f.laterality for f in found.findings}.get("Pneumonia")
        right = "right" if path.name.startswith("0000") else computed
        yield path.name, told == right, f"Pneumonia: {told}"


def age(detector: Detector, case: Path, plain: Detection) -> Iterator[Outcome]:
    for path in inputs(case):
        told = load_image(path).patient_age_y
        yield path.name, told == _AGES.get(path.stem), f"age {told}"


def listed(detector: Detector, case: Path, plain: Detection) -> Iterator[Outcome]:
    """Every film of a folder is told as an image by what is in it, whatever its name, and is read."""
    for folder in sorted(p for p in case.iterdir() if p.is_dir()):
        files = inputs(folder)
        good = [is_image(path) and not isinstance(seen(detector, path), str) for path in files]
        yield folder.name, all(good), f"{sum(good)} of {len(files)} files are read"


def two_views(detector: Detector, case: Path, plain: Detection) -> Iterator[Outcome]:
    """Both are taken for one study; the lateral film is refused for what it is, and the frontal one is read."""
    try:
        study = one_study(inputs(case))
    except InputError as error:
        yield "both", False, str(error)
        return
    reasons = [d if isinstance(d, str) else d.refused for d in (seen(detector, path) for path in study)]
    yield "both", sorted(map(str, reasons)) == ["None", "lateral_view"], str(reasons)


def samples(detector: Detector, case: Path, plain: Detection) -> Iterator[Outcome]:
    """pydicom's samples: none is a frontal chest radiograph."""
    import pydicom

    files = sorted(p for p in (Path(pydicom.__file__).parent / "data" / "test_files").rglob("*") if p.is_file())
    found = {p.name: seen(detector, p) for p in files}
    read = [name for name, d in found.items() if not isinstance(d, str) and not d.refused]
    yield f"{len(files)} files", not read, f"{len(read)} read as films {read[:5]}"


_CHECKS: dict[str, Check] = {
    "13": listed,
    "14": age,
    "15": lateral,
    "16": side,
    "21": samples,
    "25": two_views,
}


def measure(folder: Path, only: Sequence[str] = ()) -> dict[str, list[Outcome]]:
    """{case: its outcomes}, image cases alone, in the order of their numbers. Raises InputError without any."""
    cases = [p for p in sorted(folder.glob("*")) if (p / "case.json").is_file()]
    cases = [p for p in cases if json.loads((p / "case.json").read_text(encoding="utf-8"))["stage"] == "image"]
    cases = [p for p in cases if not only or p.name[:2] in only]
    if not cases:
        raise InputError(
            "no image cases here", value=folder, expected="the folder field_cases, with its case.json files"
        )
    detector = Detector.open()
    plain = detector.detect(load_image(folder / _PLAIN))
    return {p.name: list(_CHECKS.get(p.name[:2], as_plain)(detector, p, plain)) for p in cases}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=shared_data() / "field_cases")
    parser.add_argument("--only", nargs="*", default=(), metavar="NUMBER", help="these cases alone: 02 16")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure(options.data, options.only)
    if options.json:
        print(json.dumps(found, indent=1))
        return
    print(stamp())
    for name, outcomes in found.items():
        print(f"{'ok  ' if all(good for _, good, _ in outcomes) else 'FAIL'} {name} ({len(outcomes)})")
        for file, good, observed in outcomes:
            if not good:
                print(f"       {file}: {observed}")
    passed = sum(all(good for _, good, _ in outcomes) for outcomes in found.values())
    print(f"{passed} of {len(found)} cases")


if __name__ == "__main__":
    main()
