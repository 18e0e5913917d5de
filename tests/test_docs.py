"""The pages say what is so: every command in a fenced block runs, links lead somewhere."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from benchmarks.architecture import LEVEL, ROOM_LEVEL
from cli import app

REPOSITORY = Path(__file__).resolve().parent.parent
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
OBO = """format-version: 1.4

[Term]
id: MY:1
name: crescent sign of the demo
xref: HP:0002202
"""


def commands(text: str) -> Iterator[str]:
    """The lines of ``text`` after "$ " in fenced console blocks."""
    for block in re.findall(r"^```console\n(.*?)^```", text, flags=re.M | re.S):
        for line in block.splitlines():
            if line.startswith("$ "):
                yield line.removeprefix("$ ")


def is_long(line: str) -> bool:
    """Takes minutes or does not end, would change the home that the tests share, or needs films: parsed only, run by
    the slow tests, or by those of the command (tests/commands/test_adapting.py)."""
    long = (
        "git ",
        "make ",
        "python -m benchmarks",
        "whydx train",
        "whydx data fetch",
        "whydx index build",
        "whydx eval",
        "whydx serve",
        "WHYDX_TOKEN=",
        "whydx adapt",
        "whydx worklist",
        "whydx monitor",
        "whydx runs",
        "whydx ontology extract",
        "whydx ontology review",
    )
    # tests of their own work these out
    options = ("--with-image", "--with-answers", "--format pdf", "--backend", "--ray")
    return line.startswith(long) or any(option in line for option in options)


ALL = sorted({(page.name, line) for page in PAGES for line in commands(page.read_text(encoding="utf-8"))})
QUICK = [(page, line) for page, line in ALL if not is_long(line)]
EVALUATIONS = sorted({line for _, line in ALL if line.startswith("whydx eval")})


COLLECTIONS = tuple(f"whydx index {verb}" for verb in ("add", "update", "remove", "list", "show ours"))


def test_commands_are_read_from_console_blocks_only() -> None:
    text = "```console\n$ whydx a\noutput\n$ make b\n```\n$ no\n```text\n$ no\n```\n"
    assert list(commands(text)) == ["whydx a", "make b"]
    assert len(QUICK) > 15


@pytest.mark.parametrize("line", sorted({line for _, line in ALL if line.startswith("whydx ")}))
def test_commands_parse(line: str) -> None:
    command, words = typer.main.get_command(app), shlex.split(line)[1:]
    while getattr(command, "commands", None):
        command = command.commands[words.pop(0)]
    command.make_context("whydx", words)


CASES = """Study ID,Patient ID,Patient name,Age,Sex,Date,Report,Site,Dose,Ward
1,7,Miller,61,F,2024-01-05,Small left pleural effusion.,A,0.12,3
2,8,Jones,72,M,2024-03-09,Cardiomegaly with bilateral effusions.,A,0.2,4
3,9,Brown,34,M,2025-03-11,Right pneumothorax.,B,,4
"""
RIS = "TY  - JOUR\nTI  - Tension pneumothorax\nAB  - An emergency.\nAN  - 1\nER  - \n"


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A computed chest CT as a folder of slices."""
    from vision.phantom.scan import scan, write_scan

    return write_scan(tmp_path_factory.mktemp("scan") / "scan", scan())


@pytest.fixture
def desk(home: Path, scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the pages speak of, as the current one; WHYDX_HOME is the tests' home."""
    from vision.phantom.radiograph import write_phantom

    phantom = write_phantom(tmp_path / "phantom.dcm")
    (tmp_path / "scan").symlink_to(scan)
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "first.dcm").write_bytes(phantom.read_bytes())
    (tmp_path / "note.txt").write_text("dyspnea, subjective fevers\n", encoding="utf-8")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "first.txt").write_text("small left pleural effusion\n", encoding="utf-8")
    (tmp_path / "my.obo").write_text(OBO, encoding="utf-8")
    (tmp_path / "cases.csv").write_text(CASES, encoding="utf-8")
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "one.ris").write_text(RIS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WHYDX_HOME", str(home))
    return tmp_path


@pytest.fixture(scope="module")
def collections(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The three collections that the pages speak of, in a folder of a home."""
    from home import collect
    from vision.phantom.radiograph import write_phantom

    folder = tmp_path_factory.mktemp("collections")
    own = beside(home, folder / "home")
    (folder / "cases.csv").write_text(CASES, encoding="utf-8")
    (folder / "one.ris").write_text(RIS, encoding="utf-8")
    (folder / "films").mkdir()
    write_phantom(folder / "films" / "first.dcm")
    for name, source in (("ours", "cases.csv"), ("reading", "one.ris"), ("films", "films")):
        collect(own, name, [folder / source])
    return own / "collections"


def beside(home: Path, own: Path) -> Path:
    """A home of its own whose built parts are those of ``home``."""
    own.mkdir(parents=True)
    for part in home.iterdir():
        if part.name != "collections" and not part.name.startswith(("audit", "feedback")):
            (own / part.name).symlink_to(part)
    return own


@pytest.fixture(scope="module")
def saved_report(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report as JSON, for the verbs that explain one."""
    from fusion.intake import Patient
    from fusion.pipeline import Pipeline
    from reports.json import dumps

    path = tmp_path_factory.mktemp("saved") / "report.json"
    report = Pipeline.open(home).diagnose(
        Patient(note="fever and productive cough. Lobar consolidation.", age=61, sex="F")
    )
    path.write_text(dumps(report), encoding="utf-8")
    return path


@pytest.mark.parametrize(("page", "line"), QUICK, ids=[f"{page}: {line}" for page, line in QUICK])
def test_command_runs(
    whydx: Callable[..., Any],
    desk: Path,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    page: str,
    line: str,
) -> None:
    if line.startswith(("whydx why", "whydx what-if", "whydx report", "whydx ask", "whydx feedback", "whydx compare")):
        for name in ("report.json", "reviewed.json"):
            (desk / name).write_bytes(request.getfixturevalue("saved_report").read_bytes())
    if line.startswith(("whydx feedback", "whydx audit")):  # written to, so not to the home that the tests share
        monkeypatch.setenv("WHYDX_HOME", str(beside(home, desk / "own")))
    if line.startswith("whydx feedback --"):  # there is something to count, draw and export
        assert whydx("feedback", "report.json", "--accept").status == 0
    if line.startswith(("whydx ontology add", "whydx ontology list")):
        monkeypatch.setenv("WHYDX_HOME", str(desk / "home"))
    if "--collection" in line or line.startswith(COLLECTIONS):
        own = beside(home, desk / "own")
        if not line.startswith("whydx index add"):
            shutil.copytree(request.getfixturevalue("collections"), own / "collections")
        monkeypatch.setenv("WHYDX_HOME", str(own))
    if line.startswith("whydx ") and "|" not in line:
        ran = whydx(*shlex.split(line)[1:])
        status, out, err = ran.status, ran.out, ran.err
    else:
        environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        shell = subprocess.run(["bash", "-c", line], capture_output=True, text=True, env=environment, check=False)
        status, out, err = shell.returncode, shell.stdout, shell.stderr
    assert status == 0, err
    written = re.findall(r"(?:-o|--overlay|--plot) (\S+)", line)
    assert all((desk / name).stat().st_size for name in written)
    assert out or written or line.startswith(("whydx ontology add", "whydx feedback", *COLLECTIONS))


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("line", EVALUATIONS)
def test_evaluation_runs(whydx: Callable[..., Any], desk: Path, shared_data: Path, line: str) -> None:
    words = [word.replace("../shared/data", str(shared_data)) for word in shlex.split(line)[1:]]
    ran = whydx(*words)
    assert ran.status == 0, ran.err
    assert (desk / words[words.index("--predictions") + 1]).stat().st_size


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_make_demo_again_is_quick() -> None:
    """The second ``make demo`` in this checkout prints a differential in under 20 s."""
    subprocess.run(["make", "demo"], cwd=REPOSITORY, check=True, capture_output=True)
    ran = subprocess.run(["make", "demo"], cwd=REPOSITORY, check=True, capture_output=True, text=True, timeout=20)
    assert "Differential" in ran.stdout
    assert "PHANTOM" in ran.stdout


def test_make_has_the_targets_that_the_pages_name() -> None:
    named = {line.split()[1] for _, line in ALL if line.startswith("make ")}
    named |= {target for page in PAGES for target in re.findall(r"`make (\w+)", page.read_text(encoding="utf-8"))}
    targets = set(re.findall(r"^(\w+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), flags=re.M))
    assert {"demo", "bench"} <= named <= targets


def snippets(text: str) -> list[str]:
    """The fenced Python blocks of a page, in order."""
    return re.findall(r"^```python\n(.*?)^```", text, flags=re.M | re.S)


SNIPPETS = {page.name: snippets(page.read_text(encoding="utf-8")) for page in PAGES}
# Encodes the names of the home's vocabulary at first use, which takes minutes.
ENCODES = "SimilarNames"


def run_snippets(blocks: list[str], page: str) -> None:
    scope: dict[str, Any] = {"__name__": "__main__"}
    for number, block in enumerate(blocks, 1):
        exec(compile(block, f"{page}, snippet {number}", "exec"), scope)


@pytest.mark.parametrize("page", [page for page, blocks in SNIPPETS.items() if blocks])
def test_snippets_run(
    desk: Path, home: Path, page: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """As one program, in the order of the page."""
    if any("collection=" in block for block in SNIPPETS[page]):
        own = beside(home, desk / "own")
        shutil.copytree(request.getfixturevalue("collections"), own / "collections")
        monkeypatch.setenv("WHYDX_HOME", str(own))
    run_snippets([block for block in SNIPPETS[page] if ENCODES not in block], page)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_snippets_that_encode_names_run(desk: Path) -> None:
    pages = [page for page, blocks in SNIPPETS.items() if any(ENCODES in block for block in blocks)]
    assert pages
    for page in pages:
        run_snippets(SNIPPETS[page], page)


def test_the_figure_of_the_house_is_fresh() -> None:
    from benchmarks.architecture import draw

    drawn = (REPOSITORY / "docs" / "architecture.svg").read_text(encoding="utf-8")
    assert drawn == draw(), "run: python -m benchmarks.architecture docs/architecture.svg"


def test_the_page_of_the_house_has_a_line_for_every_room() -> None:
    text = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    lines = re.findall(r"^\| `([\w.]+)` \|", text, flags=re.M)
    assert sorted(lines) == sorted({*LEVEL, *ROOM_LEVEL})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target
