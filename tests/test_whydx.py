"""The face for Python: quick to import, the same answers as the command line, reports that show and save themselves."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import whydx as face
from reports.json import dumps

REPOSITORY = Path(__file__).resolve().parent.parent
NOTE = "65M fever and productive cough, no hemoptysis. Right lower lobe consolidation."
HEAVY = ("numpy", "torch", "pydantic", "rich", "typer", "transformers", "faiss", "duckdb", "platformdirs", "matplotlib")


@pytest.fixture(scope="module")
def dx(home: Path) -> face.Whydx:
    return face.open(home)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from vision.phantom.radiograph import write_phantom

    return write_phantom(tmp_path_factory.mktemp("film") / "phantom.dcm")


@pytest.fixture(scope="module")
def report(dx: face.Whydx) -> face.Report:
    return dx.diagnose(note=NOTE, age=65, sex="M")


def test_import_is_quick() -> None:
    code = (
        "import sys, time; s = time.perf_counter(); import whydx; t = time.perf_counter() - s;"
        "print(t); print(' '.join({m.split('.')[0] for m in sys.modules}))"
    )
    ran = [
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=REPOSITORY).stdout
        for _ in range(3)
    ]
    assert min(float(out.splitlines()[0]) for out in ran) < 0.2
    assert not {*HEAVY} & set(ran[0].splitlines()[1].split())


def test_every_public_name_is_there() -> None:
    assert sorted(face.__all__) == face.__all__
    for name in face.__all__:
        assert getattr(face, name).__module__
    assert issubclass(face.UnknownConceptError, face.InputError)
    assert face.__version__.startswith("0.")
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        face.nonsense  # noqa: B018


Same = tuple[str, list[str], Callable[[face.Whydx, face.Report, Path], Any]]
SAME: list[Same] = [
    ("words", ["diagnose", "--note", NOTE, "-k", "2"], lambda dx, r, f: dx.diagnose(note=NOTE, k=2)),
    (
        "findings",
        ["diagnose", "--finding", "fever", "--absent", "HP:0012735", "--age", "40"],
        lambda dx, r, f: dx.diagnose(present=["fever"], absent=["HP:0012735"], age=40),
    ),
    ("film", ["diagnose", "FILM", "--note", "fever"], lambda dx, r, f: dx.diagnose(f, note="fever")),
    ("link", ["link", NOTE, "--note"], lambda dx, r, f: dx.link(NOTE, note=True)),
    ("vocab", ["link", "his aunt had arachnodactyly"], lambda dx, r, f: dx.link("his aunt had arachnodactyly")),
    ("paths", ["paths", "fever", "pneumonia", "-k", "2"], lambda dx, r, f: dx.paths("fever", "pneumonia", k=2)),
    ("search", ["search", "sarcoidosis", "-k", "3"], lambda dx, r, f: dx.search("sarcoidosis", k=3)),
    (
        "cases",
        ["cases", "FILM", "--text", "cardiomegaly", "--where", "age>30", "-k", "3"],
        lambda dx, r, f: dx.cases(f, text="cardiomegaly", where="age>30", k=3),
    ),
    ("why", ["why", "CASE", "--note", NOTE], lambda dx, r, f: dx.why(r)),
    (
        "why-not",
        ["why-not", "CASE", "Marfan syndrome", "--note", NOTE],
        lambda dx, r, f: dx.why_not(r, "Marfan syndrome"),
    ),
    (
        "what-if",
        ["what-if", "CASE", "--absent", "fever", "--age", "20", "--note", NOTE],
        lambda dx, r, f: dx.what_if(r, absent=["fever"], age=20),
    ),
]


@pytest.mark.parametrize(("name", "command", "call"), SAME, ids=[name for name, _, _ in SAME])
def test_python_and_the_command_line_say_the_same(
    whydx: Callable[..., Any],
    home: Path,
    tmp_path: Path,
    dx: face.Whydx,
    report: face.Report,
    film: Path,
    name: str,
    command: list[str],
    call: Callable[[face.Whydx, face.Report, Path], Any],
) -> None:
    report.save(tmp_path / "case.json")
    files = {"FILM": film, "CASE": tmp_path / "case.json"}
    ran = whydx(*(files.get(word, word) for word in command), "--format", "json", "--home", home)
    assert ran.status == 0, ran.err
    if name in ("why", "why-not", "what-if"):  # a saved report has six digits
        assert close(json.loads(ran.out), json.loads(dumps(call(dx, report, film))))
    else:
        assert ran.out == dumps(call(dx, report, film))


def close(one: Any, other: Any) -> bool:
    """Equal, but for what the last of six digits does to a number."""
    if isinstance(one, float) and isinstance(other, float):
        return one == pytest.approx(other, abs=1e-4, rel=1e-3)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(close(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(close, one, other))
    return bool(one == other)


def test_detect_says_what_the_command_line_says(
    whydx: Callable[..., Any], home: Path, dx: face.Whydx, film: Path
) -> None:
    (row,) = json.loads(whydx("detect", film, "--explain", "patch", "--format", "json", "--home", home).out)
    seen = dx.detect(film)
    assert row["findings"] == json.loads(dumps(seen.findings))
    assert all(finding.concept is not None for finding in seen.findings)
    explained = dx.explain(film, seen)
    assert [e["label"] for e in row["explanations"]] == [e.label for e in explained]


def test_one_bad_file_of_many_ends_nothing(dx: face.Whydx, film: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    told: list[tuple[str, int, int]] = []
    found = list(dx.detect_all([tmp_path / "broken.png", str(film)], progress=lambda *step: told.append(step)))
    assert [path.name for path, _ in found] == ["broken.png", film.name]
    assert [seen.refused for _, seen in found] == [face.UNREADABLE, None]
    assert "broken.png" in found[0][1].warnings[0]
    assert told == [("detecting", 2, 2)]


def test_a_home_without_a_graph_still_looks_at_images(film: Path, tmp_path: Path) -> None:
    seen = face.open(tmp_path).detect(film)
    assert len(seen.findings) == 14
    assert {finding.concept for finding in seen.findings} == {None}


def test_what_is_not_built_is_said_when_it_is_needed(tmp_path: Path) -> None:
    dx = face.open(str(tmp_path))
    assert repr(dx) == f"<Whydx: {tmp_path}, cpu>"
    for ask in (lambda: dx.link("fever"), lambda: dx.paths("fever", "cough"), lambda: dx.diagnose(note="fever")):
        with pytest.raises(face.ArtifactError, match="run: whydx index build"):
            ask()


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda dx: dx.diagnose(), "nothing to diagnose from"),
        (lambda dx: dx.diagnose(note=" "), "the note is empty"),
        (lambda dx: dx.diagnose(note="fever", age=131), "not an age: '131'; expected years"),
        (lambda dx: dx.diagnose(note="fever", age=float("nan")), "not an age: 'nan'"),
        (lambda dx: dx.diagnose(note="fever", sex="male"), "not a sex: 'male'; expected F or M"),
        (lambda dx: dx.diagnose("nowhere.png"), "no such image: 'nowhere.png'"),
        (lambda dx: dx.cases(), "nothing to find cases by"),
        (lambda dx: dx.paths("qwxzyvian", "cough"), "unknown concept: 'qwxzyvian'"),
        (
            lambda dx: dx.diagnose(present=["HP:0001726"]),
            "HP:0001726 is obsolete",
        ),
        (lambda dx: face.load("nowhere.json"), "cannot read the report"),
    ],
)
def test_bad_input_is_one_line(dx: face.Whydx, ask: Callable[[face.Whydx], Any], message: str) -> None:
    with pytest.raises(face.InputError) as error:
        ask(dx)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_report_is_saved_and_loaded(report: face.Report, tmp_path: Path) -> None:
    report.save(tmp_path / "report.json")
    assert (tmp_path / "report.json").read_text(encoding="utf-8") == report.to_json()
    again = face.load(tmp_path / "report.json")
    assert again.to_json() == report.to_json()
    assert (again.images, again.note) == ((), None)
    (tmp_path / "no.json").write_text("{}", encoding="utf-8")
    with pytest.raises(face.InputError, match="not a whydx report"):
        face.load(tmp_path / "no.json")


def test_a_report_that_cannot_be_saved_leaves_what_was_there(report: face.Report, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("mine", encoding="utf-8")
    with pytest.raises(face.InputError, match=r"a report is saved as JSON.*ends in \.json"):
        report.save(tmp_path / "report.html")
    with pytest.raises(face.InputError, match="cannot write"):
        report.save(tmp_path / "nowhere" / "report.json")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == "mine"


def test_a_report_keeps_its_note_to_itself(report: face.Report) -> None:
    assert report.note == NOTE
    for shown in (report.to_json(), repr(report), str(report), report._repr_html_()):
        assert "hemoptysis. Right lower" not in shown


def test_a_report_of_this_process_is_explained_with_its_note(dx: face.Whydx, report: face.Report) -> None:
    assert dx.why(report).warnings == ()
    loaded = face.Report.of(report)
    assert "without the words of the note" in dx.why(loaded).warnings[0]
    assert dx.why(loaded, note=NOTE) == dx.why(report)


def test_how_a_report_shows_itself(report: face.Report) -> None:
    lines = repr(report).splitlines()
    assert lines[0] == f"<Report: {len(report.findings)} findings, 5 diagnoses>"
    assert [d.concept.name in line for d, line in zip(report.diagnoses, lines[-6:-1], strict=True)] == [True] * 5
    assert str(report).startswith("Decision support, not a medical device")
    assert "Differential" in str(report)
    page = report._repr_html_()
    assert page.startswith("<pre")
    assert report.diagnoses[0].concept.name in page


def test_what_a_report_says_is_escaped_in_html(report: face.Report) -> None:
    first = report.diagnoses[0]
    hostile = replace(first, concept=replace(first.concept, name="<script>alert(1)</script>"))
    page = face.Report.of(replace(report, diagnoses=(hostile,)))._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


@pytest.mark.slow
def test_the_smallest_change_is_the_command_lines(
    whydx: Callable[..., Any], home: Path, tmp_path: Path, dx: face.Whydx, report: face.Report
) -> None:
    report.save(tmp_path / "case.json")
    command = ("what-if", tmp_path / "case.json", "--counterfactual", "--note", NOTE, "--format", "json")
    ran = whydx(*command, "--home", home)
    assert close(json.loads(ran.out), json.loads(dumps(dx.counterfactual(report))))
