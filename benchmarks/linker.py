"""Concept recognition side by side: ``python -m benchmarks.linker [findings|extended] [--data FOLDER] [--home DIR]``.

Every tool (`benchmarks.peers.linkers`) runs in a process of its own, one after the other, over the same names.

"findings": the names of HPO below "Phenotypic abnormality" (FastHPOCR brings its own index of HPO). Columns:
document-level F1 on the three development sets, with retired identifiers brought up to date; texts per second of
processor time on abstracts that the tool has not seen (PubMedQA), after the development sets have warmed it up, and on
1,500 more after these (BioASQ, of 600 characters or more); seconds to build and to load; resident memory at its peak.
All times are of one processor, so that what else the machine does counts for little.

"extended": the NCBI disease corpus (MeSH and OMIM) over the labels of the Disease Ontology and the home's names with a
code of these, the same with the mentions of the corpus's training part as further names, and E3C (UMLS) over the home's
names with a code of UMLS. Precision, recall and F1 of the set of identifiers of a document; what the vocabulary has no
name for is missed by every tool.

A tool that is not installed, or has no index here, is named with the reason. ``pip install -e '.[peers]'`` installs
them.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
import re
import resource
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from time import process_time
from typing import Any

from benchmarks.machine import stamp
from benchmarks.peers.linkers import FASTHPOCR_INDEX, TOOLS, Tool, Vocabulary, hpo
from home import Part, home_folder, part_folder
from ontologies.concept import DISEASE, Concept, Term
from ontologies.linking.evaluate import Mention, read_pubtator, score
from ontologies.linking.linker import Linker

SETS = ("gscplus_dev", "id68", "genereviews")
ABSTRACTS = 1000
LATER = 1500
_SHORTEST = 600  # characters of an abstract: BioASQ holds single sentences too
_SLOW_SECONDS = 30.0  # the speed of a slow tool is measured on as many abstracts as it reads in this time
_DISEASE_CODES = {"MESH": "MESH", "MIM": "OMIM", "OMIM": "OMIM"}  # as the Disease Ontology and the corpus name them


def abstracts(data: Path, corpus: str = "pubmedqa_beir", most: int = ABSTRACTS) -> list[str]:
    """The first abstracts of a corpus of 600 characters or more, that no set annotates."""
    with (data / corpus / "corpus.jsonl").open(encoding="utf-8") as lines:
        texts = (json.loads(line)["text"] for line in lines)
        return list(islice((text for text in texts if len(text) >= _SHORTEST), most))


def _speed(tool: Tool, texts: list[str]) -> tuple[float, int]:
    """(texts per second, characters per text) on as many texts as a slow tool reads in a while."""
    docs, characters, started = 0, 0, process_time()
    for text, _ in zip(texts, tool.annotate(texts), strict=True):
        docs, characters = docs + 1, characters + len(text)
        if process_time() - started > _SLOW_SECONDS:
            break
    return round(docs / (process_time() - started), 1), round(characters / docs)


def measure(name: str, data: Path, obo: Path) -> dict[str, Any]:
    """The figures of one tool on findings, in this process."""
    known = hpo(obo)
    with tempfile.TemporaryDirectory() as scratch:
        tool = TOOLS[name][1](known, data, Path(scratch))
        f1, mention_f1 = {}, {}
        for part in SETS:
            texts, gold = read_pubtator(data / "hpo_recognition" / f"{part}.pubtator")
            found = dict(zip(texts, map(set, tool.annotate(list(texts.values()))), strict=True))
            metrics = score(current(gold, known.primary), current(found, known.primary))
            f1[part], mention_f1[part] = metrics["document"]["f1"], metrics["overlap"]["f1"]
        docs_per_s, characters = _speed(tool, abstracts(data))
        later_per_s, later_characters = _speed(tool, abstracts(data, "bioasq_beir", LATER))
    return {
        "f1": f1,
        "overlap_f1": mention_f1,
        "docs_per_s": docs_per_s,
        "characters_per_doc": characters,
        "later_docs_per_s": later_per_s,
        "later_characters_per_doc": later_characters,
        "build_s": tool.build_s,
        "load_s": tool.load_s,
        "rss_mb": _peak(),
        "note": tool.note,
    }


def extended(name: str, data: Path, home: Path) -> dict[str, Any]:
    """The figures of one tool on diseases and case reports, in this process."""
    linking = data / "linking"
    diseases = named(_mesh_first([*_disease_ontology(data), *_of_home(home, ("MESH", "OMIM"))]))
    taught = named(diseases.terms, _mentions(linking / "ncbi_disease_train.pubtator", "MESH"))
    parts = (
        ("ncbi", diseases, "ncbi_disease_dev", "MESH"),
        ("ncbi_taught", taught, "ncbi_disease_dev", "MESH"),
        ("e3c", named(_of_home(home, ("UMLS",))), "e3c_dev", "UMLS"),
    )
    figures: dict[str, Any] = {}
    for part, known, file, system in parts:
        texts, marked = read_pubtator(linking / f"{file}.pubtator")
        gold = {document: set(_in_system(mentions, system)) for document, mentions in marked.items()}
        with tempfile.TemporaryDirectory() as scratch:
            tool = TOOLS[name][1](known, data, Path(scratch))
            started = process_time()
            found = dict(zip(texts, map(set, tool.annotate(list(texts.values()))), strict=True))
            seconds = process_time() - started
        has = {concept.curie for concept in known.concepts}
        wanted = {(document, code) for document, mentions in gold.items() for *_, code in mentions}
        figures[part] = score(gold, found)["document"] | {
            "names": len(known.terms),
            "named_share_of_gold": round(sum(code in has for _, code in wanted) / len(wanted), 3),
            "docs_per_s": round(len(texts) / seconds, 1),
        }
    return figures | {"rss_mb": _peak(), "note": tool.note}


def _peak() -> int:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def named(*sources: Iterable[Term]) -> Vocabulary:
    """The concepts that some names name, one a CURIE, each called by its first name."""
    terms = sorted({(t.curie, t.text): t for source in sources for t in source}.values(), key=lambda t: t.curie)
    first = {term.curie: term.text for term in reversed(terms)}
    concepts = [
        Concept(curie=curie, name=name, semantic_types=(DISEASE,), codes={system: (code,)})
        for curie, name in sorted(first.items())
        for system, _, code in (curie.partition(":"),)
    ]
    return Vocabulary(concepts=concepts, terms=terms)


def _disease_ontology(data: Path) -> Iterator[Term]:
    """The labels of the Disease Ontology, each under the first of the identifiers of MeSH that it is mapped to, or of
    OMIM when there is none, as the corpus was annotated."""
    codes: dict[str, list[str]] = {}
    with (data / "doid" / "allXREFinDO.tsv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            system, _, code = row["xref"].partition(":")
            if system in _DISEASE_CODES:
                codes.setdefault(row["label"], []).append(f"{_DISEASE_CODES[system]}:{code}")
    for label, found in codes.items():
        yield Term(curie=min(found), text=label)  # "MESH" is before "OMIM"


def _mesh_first(terms: Iterable[Term]) -> Iterator[Term]:
    """``terms`` without the names of OMIM that MeSH has, too."""
    listed = list(terms)
    known = {term.text.lower() for term in listed if term.curie.startswith("MESH:")}
    return (term for term in listed if term.curie.startswith("MESH:") or term.text.lower() not in known)


def _of_home(home: Path, systems: tuple[str, ...]) -> Iterator[Term]:
    """The names of the home's dictionary, under the first code that their concept has in the first of ``systems``."""
    linker = Linker.open(part_folder(home, Part.linker))
    for concept, _, text in linker.names(systems):
        known = linker.concept(concept)
        system = next(system for system in systems if known.code(system) is not None)
        yield Term(curie=f"{system}:{known.code(system)}", text=text)


def _mentions(path: Path, system: str) -> Iterator[Term]:
    """What a corpus calls its concepts, each wording under the identifier that it most often stands for."""
    texts, marked = read_pubtator(path)
    uses: dict[str, Counter[str]] = {}
    for document, mentions in marked.items():
        for start, end, code in mentions:
            if not re.search(r"[|+]", code):
                uses.setdefault(texts[document][start:end], Counter())[_curie(code, system)] += 1
    for text, codes in sorted(uses.items()):
        yield Term(curie=min(codes, key=lambda code: (-codes[code], code)), text=text)


def _in_system(mentions: Iterable[Mention], system: str) -> Iterator[Mention]:
    for start, end, codes in mentions:
        for code in re.split(r"[|+]", codes):
            if code and code.upper() != "CUI-LESS":
                yield start, end, _curie(code, system)


def _curie(code: str, system: str) -> str:
    code = code.strip()
    return code if ":" in code else f"{system}:{code}"


def current(mentions: dict[str, set[Mention]], primary: Mapping[str, str]) -> dict[str, set[Mention]]:
    """``mentions`` with identifiers in use for retired ones."""
    return {doc: {(a, b, primary.get(code, code)) for a, b, code in found} for doc, found in mentions.items()}


def _missing(name: str, data: Path, suite: str) -> str:
    """Why a tool cannot run here, or ""."""
    package = TOOLS[name][0]
    if importlib.util.find_spec(package) is None:
        return f"{package} is not installed"
    if name == "fasthpocr" and suite == "extended":
        return "knows HPO alone"
    if name == "fasthpocr" and not (data / FASTHPOCR_INDEX).is_file():
        return f"no index at {FASTHPOCR_INDEX}"
    return ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("suite", nargs="?", choices=("findings", "extended"), default="findings")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--obo", type=Path, help="hp.obo; default: the fetched one of --home")
    parser.add_argument("--home", type=Path)
    parser.add_argument("--tool", choices=TOOLS, action="append", help="only this one; may be repeated")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    home, data = home_folder(arguments.home), arguments.data
    obo = arguments.obo or hpo_file(arguments.home)
    if arguments.here:
        name = arguments.tool[0]
        print(json.dumps(measure(name, data, obo) if arguments.suite == "findings" else extended(name, data, home)))
        return
    results: dict[str, Any] = {}
    for name in arguments.tool or TOOLS:
        if reason := _missing(name, data, arguments.suite):
            results[name] = {"missing": reason}
            continue
        command = [sys.executable, "-m", "benchmarks.linker", arguments.suite, "--here", "--tool", name]
        command += ["--data", str(data), "--obo", str(obo), "--home", str(home)]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        last = run.stdout.strip().splitlines()[-1:] or [""]
        if run.returncode:
            results[name] = {"missing": f"failed: {(run.stderr.strip().splitlines() or ['no message'])[-1]}"}
        else:
            results[name] = json.loads(last[0])
    if arguments.json:
        print(json.dumps({"measured": stamp(), **results}))
    else:
        print((table if arguments.suite == "findings" else extended_table)(results))


def hpo_file(home: Path | None) -> Path:
    """The fetched hp.obo."""
    return home_folder(home) / "sources" / "hpo" / "hp.obo"


def table(results: dict[str, Any]) -> str:
    """The figures on findings as a Markdown table."""
    lines = [
        stamp(),
        "",
        f"| tool | {' | '.join(f'{part} F1' for part in SETS)} | docs/s | later | build s | load s | MB |",
    ]
    lines.append("|---|" + "---|" * 8)
    for name, row in results.items():
        if "missing" in row:
            lines.append(f"| {name} | {row['missing']} | | | | | | | |")
        else:
            built = "–" if row["build_s"] is None else row["build_s"]
            scores = " | ".join(f"{row['f1'][part]:.3f}" for part in SETS)
            figures = (row["docs_per_s"], row["later_docs_per_s"], built, row["load_s"], row["rss_mb"])
            lines.append(f"| {name} | {scores} | {' | '.join(map(str, figures))} |")
    return "\n".join(lines)


def extended_table(results: dict[str, Any]) -> str:
    """The figures on diseases and case reports as a Markdown table: document P / R / F1."""
    parts = {"ncbi": "NCBI disease", "ncbi_taught": "NCBI disease, taught", "e3c": "E3C"}
    lines = [stamp(), "", f"| tool | {' | '.join(parts.values())} | docs/s | MB |", "|---|" + "---|" * (len(parts) + 2)]
    for name, row in results.items():
        if "missing" in row:
            lines.append(f"| {name} | {row['missing']} |" + " |" * (len(parts) + 1))
            continue
        scores = [" / ".join(f"{row[part][of]:.3f}" for of in ("precision", "recall", "f1")) for part in parts]
        lines.append(f"| {name} | {' | '.join(scores)} | {row['ncbi']['docs_per_s']} | {row['rss_mb']} |")
    some = next((row for row in results.values() if "missing" not in row), None)
    if some is not None:
        shares = ", ".join(
            f"{title} {some[part]['names']:,} names, {some[part]['named_share_of_gold']:.0%} of the gold"
            for part, title in parts.items()
        )
        lines += ["", f"The vocabulary: {shares}."]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
