"""The command line: help, exit status, one line for an error, deterministic output."""

from __future__ import annotations

import importlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from cli import app
from cli.terminal import home_folder, progress, read_text, write
from errors import InputError

Ran = Any  # status, out, err: see tests/conftest.py
Whydx = Callable[..., Ran]
COMMAND = (sys.executable, "-c", "from cli import main; main()")
REPOSITORY = Path(__file__).resolve().parent.parent


def commands(command: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command with its words, groups included."""
    command = command or typer.main.get_command(app)
    yield path, command
    for name, child in sorted(getattr(command, "commands", {}).items()):
        yield from commands(child, (*path, name))


ALL = dict(commands())
LEAVES = sorted(path for path, command in ALL.items() if not getattr(command, "commands", None))


def test_the_verbs_are_those_of_the_design() -> None:
    assert [" ".join(path) for path in LEAVES] == [
        "cases",
        "data fetch",
        "data list",
        "detect",
        "diagnose",
        "eval detect",
        "eval diagnose",
        "eval link",
        "eval retrieve",
        "index build",
        "index show",
        "index verify",
        "link",
        "ontology add",
        "ontology conflicts",
        "ontology diff",
        "ontology export",
        "ontology list",
        "ontology query",
        "ontology remove",
        "ontology show",
        "paths",
        "search",
        "train detector",
        "train reasoner",
        "train refusal",
        "what-if",
        "why",
        "why-not",
    ]


@pytest.mark.parametrize("path", sorted(ALL), ids=" ".join)
def test_every_command_and_option_says_what_it_is(path: tuple[str, ...]) -> None:
    assert ALL[path].help, path
    for parameter in ALL[path].params:
        assert parameter.name == "help" or getattr(parameter, "help", None), (path, parameter.name)


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_command_is_documented(path: tuple[str, ...]) -> None:
    pages = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
    assert any(f"whydx {' '.join(path)} " in page.read_text(encoding="utf-8").replace("\n", " ") for page in pages)


def test_flags_mean_the_same_everywhere() -> None:
    meaning: dict[str, set[str]] = {}
    for path in LEAVES:
        for parameter in ALL[path].params:
            for flag in parameter.opts:
                if (path[0], flag) != ("train", "-o") and flag in (
                    "-o",
                    "--format",
                    "--seed",
                    "--home",
                    "--predictions",
                    "--json",
                    "--split",
                ):
                    meaning.setdefault(flag, set()).add(f"{parameter.name}: {parameter.help}")
    assert {flag: len(texts) for flag, texts in meaning.items()} == dict.fromkeys(meaning, 1)


@pytest.mark.parametrize("path", sorted(ALL), ids=" ".join)
def test_help(whydx: Whydx, path: tuple[str, ...]) -> None:
    ran = whydx(*path, "--help")
    assert (ran.status, ran.err) == (0, "")
    assert "Usage: whydx" in ran.out


def test_help_is_fast() -> None:
    """The bound is 0.4 s (`python -m benchmarks.startup` measures it); this test allows for a busy machine."""
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        subprocess.run([*COMMAND, "--help"], check=True, capture_output=True)
        best = min(best, time.perf_counter() - started)
    assert best < 1.0


def test_help_imports_nothing_heavy() -> None:
    code = "import sys, cli; print(sorted({m.split('.')[0] for m in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    for heavy in (
        "numpy",
        "pydantic",
        "torch",
        "transformers",
        "faiss",
        "spacy",
        "pydicom",
        "platformdirs",
        "importlib.metadata",
    ):
        assert f"'{heavy}'" not in loaded


def test_version(whydx: Whydx) -> None:
    assert whydx("--version").out.startswith("whydx 0.")


@pytest.mark.parametrize(
    "arguments",
    [
        ("diagnose",),
        ("diagnose", "--note", "cough", "--age", "131"),
        ("diagnose", "--note", "cough", "--age", "old"),
        ("diagnose", "--note", "cough", "--age", "nan"),
        ("diagnose", "--note", "cough", "--sex", "X"),
        ("diagnose", "--note", "cough", "--format", "xml"),
        ("diagnose", "--note", "cough", "-k", "0"),
        ("cases",),
        ("paths", "HP:0002202"),
        ("detect", "a.png", "b.png", "--overlay", "c.png"),
        ("index", "build", "everything"),
        ("why",),
    ],
    ids=" ".join,
)
def test_usage_errors(whydx: Whydx, arguments: tuple[str, ...]) -> None:
    ran = whydx(*arguments)
    assert ran.status == 2
    assert ran.out == ""
    assert "Usage: whydx" in ran.err


def one_line(ran: Ran) -> str:
    """The message of a run that failed as it should: exit 1, nothing on stdout, one line on stderr."""
    assert ran.status == 1, ran
    assert ran.out == ""
    assert ran.err.startswith("error: ")
    assert ran.err.count("\n") == 1, ran.err
    return ran.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("diagnose", "--note", ""), "the note is empty"),
        (("diagnose", "--note", " \n"), "the note is empty"),
        (("diagnose", "--note", "@missing.txt"), "cannot read the note"),
        (("diagnose", "--finding", "HP:1", "--absent", "HP:1"), "present and absent"),
        (("diagnose", "missing.dcm"), "no such file"),
        (("diagnose", "."), "a folder, not an image"),
        (("detect", "missing.dcm"), "no such file"),
        (("link", ""), "the text is empty"),
        (("link", "cough", "--home", "nowhere"), "nowhere"),
        (("search", "cough", "--home", "nowhere"), "nowhere"),
        (("paths", "HP:1", "HP:2", "--home", "nowhere"), "nowhere"),
        (("index", "verify", "--home", "nowhere"), "whydx index build"),
        (("eval", "link", "missing.pubtator"), "no such file"),
        (("data", "fetch", "nothing", "--home", "nowhere"), "unknown source"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bad_input(
    whydx: Whydx, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert message in one_line(whydx(*arguments))


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from vision.phantom import write_phantom

    path = tmp_path_factory.mktemp("phantom") / "phantom.dcm"
    write_phantom(path)
    return path


def _text_as_dicom(path: Path, phantom: Path) -> None:
    path.write_text("This is no DICOM file.\n" * 50, encoding="utf-8")


def _truncated(path: Path, phantom: Path) -> None:
    data = phantom.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def _cut_in_the_header(path: Path, phantom: Path) -> None:
    path.write_bytes(phantom.read_bytes()[:300])


def _photograph(path: Path, phantom: Path) -> None:
    import numpy as np
    from PIL import Image

    y, x = np.mgrid[0:480, 0:640]
    colours = np.stack([x * 255 // 640, y * 255 // 480, 255 - x * 255 // 640], axis=-1).astype(np.uint8)
    Image.fromarray(colours).save(path, "PNG")


def _empty(path: Path, phantom: Path) -> None:
    path.touch()


@pytest.mark.parametrize("make", [_text_as_dicom, _truncated, _cut_in_the_header, _photograph, _empty])
@pytest.mark.parametrize("verb", ["diagnose", "detect"])
def test_bad_images(
    whydx: Whydx, home: Path, phantom: Path, tmp_path: Path, verb: str, make: Callable[[Path, Path], None]
) -> None:
    path = tmp_path / "image.dcm"
    make(path, phantom)
    one_line(whydx(verb, path, "--home", home))


@pytest.mark.parametrize("flag", ["--finding", "--absent"])
@pytest.mark.parametrize("curie", ["HP:9999999", "no such finding"])
def test_unknown_curie(whydx: Whydx, home: Path, flag: str, curie: str) -> None:
    assert curie in one_line(whydx("diagnose", "--note", "cough", flag, curie, "--home", home))


def _damaged_home(home: Path, target: Path, part: str) -> Path:
    """A home like ``home`` in which the largest file of ``part`` has one bit flipped."""
    for folder in ("sources", "graph", "linker", "indexes/literature", "indexes/cases", "indexes/images"):
        if not (home / folder).exists():
            continue
        (target / folder).parent.mkdir(parents=True, exist_ok=True)
        if folder == part:
            shutil.copytree(home / folder, target / folder)
        else:
            (target / folder).symlink_to(home / folder)
    victim = max((p for p in (target / part).rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    _flip(victim)
    return target


@pytest.mark.parametrize(
    ("part", "arguments"),
    [
        ("graph", ("paths", "HP:0002202", "ICD10CM:J18.9")),
        ("linker", ("link", "cough")),
        ("indexes/literature", ("search", "cough")),
        ("indexes/cases", ("cases", "--text", "cough")),
        ("indexes/literature", ("diagnose", "--note", "cough")),
        ("indexes/images", ("index", "verify")),
        ("linker", ("index", "verify")),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else value,
)
def test_damaged_files(whydx: Whydx, home: Path, tmp_path: Path, part: str, arguments: tuple[str, ...]) -> None:
    message = one_line(whydx(*arguments, "--home", _damaged_home(home, tmp_path, part)))
    assert "run: whydx" in message


def _shipped(package: str, constant: str, target: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copy shipped weights to ``target`` and have the program read them there."""
    module = importlib.import_module(package)
    shutil.copytree(getattr(module, constant), target)
    monkeypatch.setattr(module, constant, target)
    return target


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_a_detector_that_does_not_match(
    whydx: Whydx, phantom: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = _shipped("vision.detector", "WEIGHTS", tmp_path / "weights", monkeypatch)
    assert whydx("detect", phantom, "--home", tmp_path).status == 0
    _flip(weights / "detector.safetensors")
    assert "do not match" in one_line(whydx("detect", phantom, "--home", tmp_path))
    shutil.copy(weights.parent / "weights" / "cases.safetensors", weights / "detector.safetensors")
    one_line(whydx("detect", phantom, "--home", tmp_path))


def test_a_reasoner_that_does_not_match(
    whydx: Whydx, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = _shipped("fusion.checkpoint", "PACKAGED_WEIGHTS", tmp_path / "weights", monkeypatch)
    assert whydx("diagnose", "--note", "cough", "--home", home).status == 0
    _flip(weights / "reasoner.safetensors")
    one_line(whydx("diagnose", "--note", "cough", "--home", home))


@pytest.mark.slow
def test_index_build_mends_what_is_damaged(whydx: Whydx, home: Path, tmp_path: Path) -> None:
    damaged = _damaged_home(home, tmp_path, "indexes/images")
    shutil.copy(home / "built.json", damaged)
    one_line(whydx("index", "verify", "--home", damaged))
    ran = whydx("index", "build", "images", "--home", damaged)
    assert (ran.status, ran.out) == (0, "")
    assert ran.err.startswith("built images in ")
    assert whydx("index", "verify", "--home", damaged).status == 0
    assert whydx("index", "build", "--home", damaged).err == ""


def test_write_leaves_the_old_file_when_it_fails(tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    write("new", target)
    assert target.read_text(encoding="utf-8") == "new"
    with pytest.raises(InputError, match="cannot write"):
        write("x", tmp_path / "no" / "such" / "folder")
    with pytest.raises(InputError, match="cannot write"):
        write("x", tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.json"]


def test_read_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "note.txt"
    path.write_bytes("\ufefffièvre\n".encode())
    assert read_text(f"@{path}", "note") == "fièvre\n"
    assert read_text("@", "note") == "@"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"cough")))
    assert read_text("-", "note") == "cough"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not UTF-8"):
        read_text(f"@{path}", "note")
    path.write_bytes(b"a\0b")
    with pytest.raises(InputError, match="not text"):
        read_text(f"@{path}", "note")


def test_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert home_folder(Path("~/x")) == tmp_path / "x"
    assert home_folder(None).name == "whydx"


def test_progress_is_for_terminals(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with progress() as advance:
        assert advance is None
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with progress() as advance:
        assert advance is not None
        for done in range(3):
            advance("encode", done, 2)
        advance("count", 1, 0)
    assert capfd.readouterr().out == ""


def test_reader_gone(home: Path) -> None:
    """``whydx … | head -0`` ends quietly."""
    code = "import sys; from cli import main; sys.argv[1:] = ['data', 'list', '--format', 'json']; main()"
    read, wrote = os.pipe()
    os.close(read)
    ran = subprocess.run(
        [sys.executable, "-c", code],
        stdout=wrote,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"WHYDX_HOME": str(home)},
    )
    os.close(wrote)
    assert ran.stderr == ""


def test_interrupt() -> None:
    process = subprocess.Popen(
        [*COMMAND, "link", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # what runs in the background ignores it
    )
    time.sleep(3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (130, "", "interrupted\n")


# --- the verbs on a built home


def test_link(whydx: Whydx, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "110")
    ran = whydx("link", "Fever, but no pleural effusion.", "--format", "json", "--home", home)
    assert (ran.status, ran.err) == (0, "")
    found = {match["mention"].lower(): match for match in json.loads(ran.out)}
    assert found["fever"]["presence"] == "present"
    assert found["pleural effusion"]["presence"] == "absent"
    assert found["pleural effusion"]["concept"]["codes"]["HP"] == ["0002202"]
    assert "Pleural effusion" in whydx("link", "no pleural effusion", "--home", home).out


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """A folder of a note, a PubTator file and something else."""
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "a.txt").write_text("Small left pleural effusion,\nno fever.", encoding="utf-8")
    (folder / "b.pubtator").write_text("7|t|Fever\n7|a|no cough\n7\t0\t5\tFever\tX\tHP:1\n\n8|t|\n8|a|Cough\n")
    (folder / "c.pdf").write_bytes(b"\xff\x00")
    return folder


def test_link_a_folder(whydx: Whydx, home: Path, notes: Path) -> None:
    ran = whydx("link", notes, "--format", "jsonl", "--home", home)
    assert (ran.status, ran.err) == (0, "")
    rows = [json.loads(line) for line in ran.out.splitlines()]
    assert [row["id"] for row in rows] == ["a", "7", "8"]
    assert [(m["mention"], m["presence"]) for m in rows[1]["matches"]] == [("Fever", "present"), ("cough", "absent")]
    assert (rows[0]["matches"][0]["laterality"], rows[0]["matches"][0]["extent"]) == ("left", "small")
    assert json.loads(whydx("link", notes, "--format", "json", "--home", home).out) == rows
    table = whydx("link", notes / "a.txt", notes / "b.pubtator", "--home", home).out
    assert "small, left" in table


def test_link_to_pubtator_keeps_offsets(whydx: Whydx, home: Path, notes: Path, tmp_path: Path) -> None:
    from ontologies.evaluate import read_pubtator

    target = tmp_path / "out.pubtator"
    ran = whydx("link", notes, "--format", "pubtator", "--vocab", "HP", "-o", target, "--home", home)
    assert (ran.status, ran.out, ran.err) == (0, "", "")
    texts, mentions = read_pubtator(target)
    assert texts["a"] == "Small left pleural effusion, no fever."
    assert {(texts["a"][a:b], code) for a, b, code in mentions["a"]} == {
        ("pleural effusion", "HP:0002202"),
        ("fever", "HP:0001945"),
    }
    assert whydx("link", target, "--format", "pubtator", "--vocab", "HP", "--home", home).out == target.read_text()


def test_link_lines_of_stdin(whydx: Whydx, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*options: str) -> list[str]:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"fever\n\nno cough\n")))
        return [json.loads(line)["id"] for line in whydx("link", "-", *options, "--home", home).out.splitlines()]

    assert link("--format", "jsonl") == link("--format", "jsonl", "--lines") == ["1", "3"]


def test_link_all_spans(whydx: Whydx, home: Path) -> None:
    text = "pulmonary artery stenosis"
    plain, nested = (
        {m["mention"] for m in json.loads(whydx("link", text, *more, "--format", "json", "--home", home).out)}
        for more in ((), ("--all-spans",))
    )
    assert plain < nested


def test_link_says_what_it_cannot_read(whydx: Whydx, home: Path, notes: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (notes / "bad.txt").write_bytes(b"fi\xe8vre")
    (notes / "broken.pubtator").write_text("1|t|Fever\nnonsense\n")
    for arguments, message in (
        ((tmp_path / "empty",), "no texts in the folder"),
        (("missing.txt",), "no such file"),
        (("left", "effusion"), "one text in quotes"),
        ((notes / "bad.txt",), "not UTF-8"),
        ((notes / "broken.pubtator",), "line 2: not PubTator"),
        (("cough", "--vocab", "XX"), "no concept of the dictionary has a code in"),
        ((notes / "a.txt", "--format", "jsonl", "-o", tmp_path / "no" / "x"), "cannot write"),
    ):
        ran = whydx("link", *arguments, "--home", home)
        assert (ran.status, ran.out) == (1, ""), arguments
        assert message in ran.err
        assert ran.err.count("\n") == 1
    target = tmp_path / "out.jsonl"
    ran = whydx("link", notes, "--format", "jsonl", "-o", target, "--home", home)
    assert ran.status == 1
    assert sorted(tmp_path.iterdir()) == [tmp_path / "empty", notes]


def test_nothing_found_is_success(whydx: Whydx, home: Path) -> None:
    ran = whydx("link", "zzzz", "--home", home)
    assert (ran.status, ran.out.strip(), ran.err) == (0, "nothing found", "")


def test_paths(whydx: Whydx, home: Path) -> None:
    ran = whydx("paths", "HP:0002202", "ICD10CM:I50.9", "-k", "2", "--format", "json", "--home", home)
    assert (ran.status, ran.err) == (0, "")
    walks = json.loads(ran.out)
    assert 1 <= len(walks) <= 2
    assert all(triple["source"] for walk in walks for triple in walk["triples"])


def test_search(whydx: Whydx, home: Path) -> None:
    ran = whydx("search", "pleural effusion in heart failure", "-k", "3", "--format", "json", "--home", home)
    assert (ran.status, ran.err) == (0, "")
    hits = json.loads(ran.out)
    assert [hit["rank"] for hit in hits] == [1, 2, 3]
    assert all(hit["document"]["source_curie"].startswith("PMID:") for hit in hits)


def test_cases_by_image_text_and_export(whydx: Whydx, home: Path, phantom: Path, tmp_path: Path) -> None:
    ran = whydx("cases", phantom, "-k", "3", "--format", "json", "--home", home)
    assert (ran.status, len(json.loads(ran.out))) == (0, 3)
    target = tmp_path / "cases.csv"
    ran = whydx("cases", "--text", "pleural effusion", "-k", "4", "--export", "csv", "-o", target, "--home", home)
    assert (ran.status, ran.out, ran.err) == (0, "", "")
    assert target.read_text(encoding="utf-8").startswith("rank,score,id")


def test_detect_and_overlay(whydx: Whydx, home: Path, phantom: Path, tmp_path: Path) -> None:
    overlay = tmp_path / "overlay.png"
    ran = whydx("detect", phantom, "--format", "json", "--overlay", overlay, "--home", home)
    assert ran.status == 0, ran.err
    (row,) = json.loads(ran.out)
    assert len(row["findings"]) == 14
    assert all(finding["concept"]["codes"] for finding in row["findings"])
    assert overlay.read_bytes().startswith(b"\x89PNG")


def test_data_list(whydx: Whydx, home: Path) -> None:
    rows = json.loads(whydx("data", "list", "--format", "json", "--home", home).out)
    assert {row["state"] for row in rows} == {"ready"}
    assert all(row["licence"] and row["citation"] and row["sha256"] for row in rows)


def test_ontology_show(whydx: Whydx, home: Path) -> None:
    value = json.loads(whydx("ontology", "show", "HP:0002202", "--format", "json", "--home", home).out)
    assert value["concept"]["name"] == "Pleural effusion"
    assert value["triples"]


def test_index_show_and_verify(whydx: Whydx, home: Path) -> None:
    for verb in ("show", "verify"):
        rows = json.loads(whydx("index", verb, "--format", "json", "--home", home).out)
        assert [row["part"] for row in rows] == ["graph", "linker", "literature", "cases", "images"]


def test_diagnose_by_text_alone(whydx: Whydx, home: Path) -> None:
    ran = whydx("diagnose", "--note", "fever and productive cough", "--age", "61", "--sex", "f", "--home", home)
    assert (ran.status, ran.err) == (0, "")
    assert "Differential" in ran.out
    assert "not a medical device" in ran.out


def test_diagnose_twice_gives_the_same_bytes_that_validate(
    whydx: Whydx, home: Path, phantom: Path, tmp_path: Path
) -> None:
    import jsonschema

    from reports.json import dumps, loads, schema

    arguments = ("diagnose", phantom, "--note", "fever and productive cough", "--format", "json", "--home", home)
    first = whydx(*arguments)
    assert first.status == 0, first.err
    assert whydx(*arguments, "-o", tmp_path / "report.json").out == ""
    assert (tmp_path / "report.json").read_text(encoding="utf-8") == first.out
    jsonschema.Draft202012Validator(schema()).validate(json.loads(first.out))
    assert dumps(loads(first.out)) == first.out
    assert any("PHANTOM" in line for line in loads(first.out).warnings)
