"""How fast each reader stages its statements: ``python -m benchmarks.scale.readers [--scale S] [--json]``.

Each in a process of its own, into a DuckDB file under 512 MB: the open sources of the home as fetched, a synthetic
SNOMED CT release (``benchmarks/scale/synthetic_snomed.py``) and a synthetic ontology in N-Triples. ``cpu_s`` is the
processor time of reading and staging together, ``statements_s`` is statements for each second of it, ``peak_mb`` the
kernel's figure. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.machine import stamp
from benchmarks.scale import synthetic_snomed
from ontologies.concept import Statement

_CLASSES = 250_000  # four triples each
_TRIPLES = """<http://example.org/o#{0}> <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <http://www.w3.org/2002/07/owl#Class> .
<http://example.org/o#{0}> <http://www.w3.org/2000/01/rdf-schema#label> "concept number {0}"@en .
<http://example.org/o#{0}> <http://www.w3.org/2000/01/rdf-schema#subClassOf> <http://example.org/o#{1}> .
<http://example.org/o#{0}> <http://www.geneontology.org/formats/oboInOwl#hasDbXref> "UMLS:C{0:07d}" .
"""  # noqa: E501


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--home", type=Path, default=Path(".cache/test-home"), help="where the sources are fetched")
    parser.add_argument(
        "--scale", type=float, default=0.1, help="1: 1.5 M descriptions, 3 M relationships; 1 M triples"
    )
    parser.add_argument("--json", action="store_true", help="print nothing but the JSON object")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        print(json.dumps(_stage(arguments.part, arguments.home, arguments.folder)))
        return
    folder = Path(tempfile.mkdtemp(prefix="whydx-readers-"))
    try:
        result = measure(arguments.home, folder, arguments.scale)
    finally:
        shutil.rmtree(folder)
    if not arguments.json:
        for reader in result["readers"]:
            print("  ".join(f"{name} {value}" for name, value in reader.items()))
    print(json.dumps(result))


def measure(home: Path, folder: Path, scale: float) -> dict[str, Any]:
    """The figures of every reader; what is synthetic is written to ``folder``."""
    rows = synthetic_snomed.write(folder / "snomed", scale)
    with open(folder / "given.nt", "w", encoding="utf-8") as stream:
        stream.writelines(_TRIPLES.format(number, number // 3) for number in range(round(_CLASSES * scale)))
    readers = []
    for part in _readers(home, folder):
        command = [sys.executable, "-m", "benchmarks.scale.readers", "--part", part, "--home", str(home)]
        command += ["--folder", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.stderr.strip().splitlines()[-1])
        readers.append(json.loads(done.stdout))
    return {"scale": scale, "snomed_rows": rows, "readers": readers, "machine": stamp()}


def _readers(home: Path, folder: Path) -> dict[str, Callable[[], Iterator[Statement]]]:
    from ontologies.readers import hpoa, icd10cm, obo, rdf, snomed, sssom
    from ontologies.sources.store import member_path

    return {
        "obo": lambda: obo.read(member_path(home, "hpo", "hp.obo")),
        "hpoa": lambda: hpoa.read(member_path(home, "hpo", "phenotype.hpoa")),
        "icd10cm": lambda: icd10cm.read(member_path(home, "icd10cm", "icd10c-tabular-April-1-2026.xml")),
        "sssom": lambda: sssom.read(member_path(home, "biomappings", "positive.sssom.tsv")),
        "rdf": lambda: rdf.read(folder / "given.nt"),
        "snomed": lambda: snomed.read(folder / "snomed"),
    }


def _stage(part: str, home: Path, folder: Path) -> dict[str, Any]:
    from ontologies.staging import Staging

    started, used = time.perf_counter(), time.process_time()
    with Staging(folder / f"{part}.duckdb", memory="512MB") as staging:
        staging.add(_readers(home, folder)[part]())
        counts = staging.counts()
    statements, cpu = counts.concepts + counts.terms + counts.relations, time.process_time() - used
    return {
        "reader": part,
        "statements": statements,
        "cpu_s": round(cpu, 1),
        "wall_s": round(time.perf_counter() - started, 1),
        "statements_s": round(statements / cpu),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


if __name__ == "__main__":
    main()
