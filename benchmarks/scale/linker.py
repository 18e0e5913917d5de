"""The linker with a dictionary of UMLS's size: ``python -m benchmarks.scale.linker --scale S [--data FOLDER] --json``.

Compiles the names of a synthetic release (``benchmarks/scale/synthetic_umls.py``) together with those of HPO in a
process of its own, and opens and uses the dictionary in another, beside one of HPO alone on texts of the same kind:
abstracts of PubMedQA, and the same abstracts with a name of the dictionary after every tenth word. Each set of texts is
read twice and timed the second time. Its last line is a JSON object; times are of the processor unless they say
otherwise, resident memory is the kernel's figure, mapped files included. Its invented words are 40,000, fewer than UMLS
has: what grows with them (five bytes a letter, on disk) is not measured.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, groupby, islice
from pathlib import Path
from typing import Any

from benchmarks.linker import abstracts, hpo_file
from benchmarks.machine import stamp
from benchmarks.peers.linkers import Vocabulary
from benchmarks.peers.linkers import hpo as vocabulary
from benchmarks.scale import synthetic_umls
from ontologies.concept import Concept, Relation, Term
from ontologies.linking.linker import Linker

TEXTS = 300
_EVERY = 10  # words between two names
_CUI, _LANGUAGE, _NAME, _SUPPRESSED = 0, 1, 14, 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--scale", type=float, default=0.01, help="1: 3.4 M concepts, 17 M names")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--obo", type=Path, help="hp.obo; default: the fetched one of --home")
    parser.add_argument("--home", type=Path)
    parser.add_argument("--folder", type=Path, help="where to work and leave the files; else a temporary folder")
    parser.add_argument("--json", action="store_true", help="print nothing but the JSON object")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    hpo = arguments.obo or hpo_file(arguments.home)
    if arguments.part:
        print(json.dumps(PARTS[arguments.part](arguments.folder, hpo, arguments.data)))
        return
    with synthetic_umls.working_folder(arguments.folder) as folder:
        result = measure(folder, arguments.scale, hpo, arguments.data)
    if not arguments.json:
        for name, value in result.items():
            print(f"{name:20} {value}")
    print(json.dumps(result))


def measure(folder: Path, scale: float, hpo: Path, data: Path) -> dict[str, Any]:
    """Every figure at one scale; the release and the dictionaries are left in ``folder``."""
    rows = synthetic_umls.write(folder / "META", scale)
    result: dict[str, Any] = {"scale": scale, "concepts": rows.concepts, "names": rows.names}
    for part in PARTS:
        command = [sys.executable, "-m", "benchmarks.scale.linker", "--part", part, "--folder", str(folder)]
        command += ["--obo", str(hpo), "--data", str(data)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        result |= json.loads(done.stdout.splitlines()[-1])
    for kind in ("abstracts", "with_names"):
        hpo_ms, all_ms = (result[f"{part}_ms_per_text"][kind] for part in ("hpo", "umls"))
        result[f"times_of_hpo_{kind}"] = round(all_ms / hpo_ms, 2)
    return result | {"machine": stamp()}


def _build(folder: Path, hpo: Path, data: Path) -> dict[str, Any]:
    release = folder / "META"
    known = vocabulary(hpo)
    _compile(known, folder / "hpo")
    started, processor = time.perf_counter(), time.process_time()

    def report(stage: str, done: int, total: int) -> None:
        if done % 500_000 == 0:
            print(f"{time.perf_counter() - started:8.0f} s  {stage} {done}/{total}", file=sys.stderr)

    Linker.build(
        _then(known.concepts, _concepts(release)),
        _then(known.terms, _terms(release)),
        folder / "umls",
        relations=_then(known.relations, _is_a(release)),
        progress=report,
    )
    return {
        "build_wall_s": round(time.perf_counter() - started),
        "build_s": round(time.process_time() - processor),
        "build_peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20), 2),
        "disk_gb": round(sum(f.stat().st_size for f in (folder / "umls").iterdir()) / 1e9, 2),
    }


def _compile(known: Vocabulary, path: Path) -> None:
    Linker.build(known.concepts, known.terms, path, relations=known.relations)


def _then(first: Sequence[Any], second: Iterator[Any]) -> Iterator[Any]:
    yield from first
    yield from second


def _rows(release: Path) -> Iterator[list[str]]:
    """The rows of MRCONSO in English that are not suppressible; those of a concept stand together."""
    with (release / "MRCONSO.RRF").open(encoding="utf-8") as lines:
        for line in lines:
            row = line.split("|")
            if row[_LANGUAGE] == "ENG" and row[_SUPPRESSED] == "N":
                yield row


def _concepts(release: Path) -> Iterator[Concept]:
    for cui, rows in groupby(_rows(release), lambda row: row[_CUI]):
        name = next(rows)[_NAME]
        yield Concept(curie=f"UMLS:{cui}", name=name, semantic_types=("Finding",), codes={"UMLS": (cui,)})


def _terms(release: Path) -> Iterator[Term]:
    last = ""
    for row in _rows(release):
        kind = "exact" if row[_CUI] == last else "preferred"
        last = row[_CUI]
        yield Term(curie=f"UMLS:{last}", text=row[_NAME], kind=kind)  # type: ignore[arg-type]


def _is_a(release: Path) -> Iterator[Relation]:
    with (release / "MRREL.RRF").open(encoding="utf-8") as lines:
        for line in lines:
            if "|CHD|" in line:
                row = line.split("|")
                yield Relation(subject=f"UMLS:{row[4]}", predicate="is_a", object=f"UMLS:{row[0]}", source="UMLS")


def _hpo(folder: Path, hpo: Path, data: Path) -> dict[str, Any]:
    names = [term.text for term in vocabulary(hpo).terms if term.kind == "preferred"]
    return _used("hpo", folder, data, names[:: max(1, len(names) // 10_000)])


def _umls(folder: Path, hpo: Path, data: Path) -> dict[str, Any]:
    step = max(1, sum(1 for _ in _rows(folder / "META")) // 10_000)
    return _used("umls", folder, data, [row[_NAME] for row in islice(_rows(folder / "META"), 0, None, step)])


def _used(part: str, folder: Path, data: Path, names: list[str]) -> dict[str, Any]:
    """Open the dictionary ``part`` and read the texts."""
    before = _resident_mb()
    started = time.perf_counter()
    linker = Linker.open(folder / part)
    opened = time.perf_counter() - started
    plain = abstracts(data)[:TEXTS]
    supply = cycle(names)
    full = [" ".join(_with_names(text.split(), supply)) for text in plain]
    taken, mentions = {}, {}
    for kind, texts in (("abstracts", plain), ("with_names", full)):
        found = sum(map(len, linker.link_all(texts, assess=False)))
        processor = time.process_time()
        list(linker.link_all(texts, assess=False))
        taken[kind] = round(1000 * (time.process_time() - processor) / len(texts), 3)
        mentions[kind] = round(found / len(texts), 1)
    return {
        f"{part}_open_wall_s": round(opened, 3),
        f"{part}_ms_per_text": taken,
        f"{part}_mentions_per_text": mentions,
        f"{part}_rss_mb": round(_resident_mb()),
        f"{part}_rss_before_mb": round(before),
    }


def _with_names(words: list[str], names: Iterator[str]) -> Iterator[str]:
    for number, word in enumerate(words, 1):
        yield word
        if number % _EVERY == 0:
            yield f"({next(names)})"


def _resident_mb() -> float:
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")) / 1024


PARTS: dict[str, Callable[[Path, Path, Path], dict[str, Any]]] = {"build": _build, "hpo": _hpo, "umls": _umls}


if __name__ == "__main__":
    main()
