"""Concept recognition side by side: ``python -m benchmarks.linker [--data FOLDER] [--obo hp.obo] [--json]``.

Every tool runs in a process of its own, one after the other, over the names of the same HPO below "Phenotypic
abnormality" (FastHPOCR brings its own index of HPO). Columns: document-level F1 on the three development sets, with
retired identifiers brought up to date; texts per second of processor time on abstracts that the tool has not seen
(PubMedQA), after the development sets have warmed it up, and on 1,500 more after these (BioASQ, of 600
characters or more); seconds to build and to load; resident memory at its peak. All times are of one processor, so that
what else the machine does counts for little.

The tools: whydx's dictionary; FastHPOCR; gilda's annotator; scispaCy's candidate generator, which needs mentions: every
run of up to five words that neither starts nor ends with a stop word, longest and nearest first, from a cosine of 0.9.
A tool that is not installed, or has no index here, is named with the reason. ``pip install -e '.[peers]'`` installs
them.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice, pairwise
from pathlib import Path
from time import process_time
from typing import Any

from benchmarks.machine import stamp
from ontologies.concept import Concept, Relation, Term
from ontologies.linking.evaluate import Mention, read_pubtator, score
from ontologies.readers import obo

SETS = ("gscplus_dev", "id68", "genereviews")
ABSTRACTS = 1000
LATER = 1500
_SHORTEST = 600  # characters of an abstract: BioASQ holds single sentences too
_INDEX = "peers/fasthpocr_0.1.4_hpo_2025-01-16.index.gz"
_SLOW_SECONDS = 30.0  # the speed of a slow tool is measured on as many abstracts as it reads in this time
_SCISPACY_SIMILARITY = 0.9
_ALIKE = frozenset(["preferred", "exact", "layperson", "abbreviation"])

Annotate = Callable[[Sequence[str]], Iterator[list[Mention]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """HPO below "Phenotypic abnormality"; ``primary`` maps retired identifiers to those in use."""

    concepts: list[Concept]
    terms: list[Term]
    relations: list[Relation]
    primary: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """An opened tool: ``annotate`` gives (start, end, HPO identifier) for each text; ``note`` says what is special."""

    annotate: Annotate
    build_s: float | None
    load_s: float
    note: str = ""


def vocabulary(path: Path) -> Vocabulary:
    """Read hp.obo."""
    concepts, terms, relations = [], [], []
    primary: dict[str, str] = {}
    for statement in obo.read(path):
        if isinstance(statement, Concept):
            concepts.append(statement)
        elif isinstance(statement, Term):
            terms.append(statement)
        elif statement.predicate == "alias":
            primary[statement.subject] = statement.object
        else:
            relations.append(statement)
    return Vocabulary(concepts=concepts, terms=terms, relations=relations, primary=primary)


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    started = process_time()
    return work(), round(process_time() - started, 2)


def whydx(known: Vocabulary, data: Path, scratch: Path) -> Tool:
    """The linker, compiled from the names."""
    from ontologies.linking.linker import Linker

    path = scratch / "linker"
    _, build_s = _timed(lambda: Linker.build(known.concepts, known.terms, path, relations=known.relations))
    linker, load_s = _timed(lambda: Linker.open(path))

    def annotate(texts: Sequence[str]) -> Iterator[list[Mention]]:
        for matches in linker.link_all(texts, systems=("HP",), assess=False):
            yield [(m.start, m.end, f"HP:{m.concept.code('HP')}") for m in matches]

    return Tool(annotate=annotate, build_s=build_s, load_s=load_s)


def fasthpocr(known: Vocabulary, data: Path, scratch: Path) -> Tool:
    """FastHPOCR 0.1.4 with its index of HPO, which takes its authors' code 34 minutes to build."""
    from FastHPOCR.HPOAnnotator import HPOAnnotator

    index = scratch / "fasthpocr.index"
    index.write_bytes(gzip.decompress((data / _INDEX).read_bytes()))
    annotator, load_s = _timed(lambda: HPOAnnotator(str(index)))

    def annotate(texts: Sequence[str]) -> Iterator[list[Mention]]:
        for text in texts:
            yield [(a.getStartOffset(), a.getEndOffset(), a.getHPOUri()) for a in annotator.annotate(text)]

    return Tool(annotate=annotate, build_s=None, load_s=load_s, note="own index of HPO 2025-01-16, not built here")


def gilda(known: Vocabulary, data: Path, scratch: Path) -> Tool:
    """gilda's annotator with a grounder over the same names; sentences end at a full stop before a space."""
    import re

    from gilda.grounder import Grounder
    from gilda.ner import annotate as gilda_annotate
    from gilda.process import normalize
    from gilda.term import Term as GildaTerm

    def build() -> Any:
        inside = _below(known)
        name_of = {c.curie: c.name for c in known.concepts}
        terms = []
        for term in known.terms:
            text = normalize(term.text)
            if term.curie in inside and term.kind in _ALIKE and text.strip():
                status = "name" if term.kind == "preferred" else "synonym"
                terms.append(GildaTerm(text, term.text, "HP", term.curie, name_of[term.curie], status, "hpo"))
        grounder = Grounder(terms)
        # its models for ambiguous genes and short forms are downloads
        grounder.gilda_disambiguators, grounder.adeft_disambiguators = {}, {}
        return grounder

    grounder, build_s = _timed(build)

    def sentences(text: str) -> Iterable[tuple[int, int]]:
        ends = [match.end() for match in re.finditer(r"[.!?](?=\s|$)", text)]
        bounds = [0, *(end for end in ends if end < len(text)), len(text)]
        return list(pairwise(bounds))

    def annotate(texts: Sequence[str]) -> Iterator[list[Mention]]:
        for text in texts:
            found = gilda_annotate(text, grounder=grounder, sent_split_fun=sentences)
            yield [(a.start, a.end, a.matches[0].term.id) for a in found]

    return Tool(annotate=annotate, build_s=build_s, load_s=build_s, note="kept in memory, built at each start")


def _below(known: Vocabulary) -> frozenset[str]:
    """What lies below "Phenotypic abnormality"."""
    parents: dict[str, list[str]] = {}
    for relation in known.relations:
        if relation.predicate == "is_a":
            parents.setdefault(relation.subject, []).append(relation.object)
    return obo.below(parents, ("HP:0000118",)) - {"HP:0000118"}


def scispacy(known: Vocabulary, data: Path, scratch: Path) -> Tool:
    """scispaCy's candidate generator over the same names, its index made with its own parameters.

    The index is kept in the user's cache folder, with the processor time that it took, because making it takes long.
    Its own builder wants scipy < 1.11 for storing half-precision vectors; the vectors here are single precision.
    """
    import re

    import nmslib
    import numpy as np
    from platformdirs import user_cache_path
    from scispacy.candidate_generation import CandidateGenerator
    from scispacy.linking_utils import KnowledgeBase
    from sklearn.feature_extraction.text import TfidfVectorizer

    from ontologies.linking.normalize import STOP_WORDS

    inside = _below(known)
    names: dict[str, list[str]] = {}
    for term in known.terms:
        if term.curie in inside and term.kind in _ALIKE:
            names.setdefault(term.curie, []).append(term.text)
    rows = [
        json.dumps({"concept_id": curie, "canonical_name": texts[0], "aliases": texts, "types": []}) + "\n"
        for curie, texts in sorted(names.items())
    ]
    listed = scratch / "names.jsonl"
    listed.write_text("".join(rows), encoding="utf-8")
    cached = user_cache_path("whydx") / "benchmarks" / f"scispacy-{sha256(''.join(rows).encode()).hexdigest()[:16]}"

    def load() -> tuple[CandidateGenerator, float]:
        kb = KnowledgeBase(str(listed))
        aliases = list(kb.alias_to_cuis)
        vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 3), min_df=10, dtype=np.float32)
        vectors = vectorizer.fit_transform(aliases)
        filled = np.flatnonzero(np.asarray(vectors.sum(axis=1)).ravel())
        index = nmslib.init(method="hnsw", space="cosinesimil_sparse", data_type=nmslib.DataType.SPARSE_VECTOR)
        index.addDataPointBatch(vectors[filled])
        seconds = cached / "build_seconds"
        if not seconds.is_file():
            parameters = {"M": 100, "indexThreadQty": 1, "efConstruction": 2000, "post": 0}
            _, taken = _timed(lambda: index.createIndex(parameters, print_progress=False))
            cached.mkdir(parents=True, exist_ok=True)
            index.saveIndex(str(cached / "index"), save_data=False)
            seconds.write_text(str(taken))
        else:
            index.loadIndex(str(cached / "index"), load_data=False)
        index.setQueryTimeParams({"efSearch": 200})
        return CandidateGenerator(index, vectorizer, [aliases[i] for i in filled], kb), float(seconds.read_text())

    load()
    (generator, build_s), load_s = _timed(load)
    word = re.compile(r"\w+(?:[-'/]\w+)*")

    def spans(text: str) -> list[tuple[int, int]]:
        tokens = [match.span() for match in word.finditer(text)]
        found = []
        for i, (start, first_end) in enumerate(tokens):
            if text[start:first_end].lower() in STOP_WORDS:
                continue
            for j in range(i, min(i + 5, len(tokens))):
                if j > i and not text[tokens[j - 1][1] : tokens[j][0]].isspace():
                    break
                if text[slice(*tokens[j])].lower() not in STOP_WORDS:
                    found.append((start, tokens[j][1]))
        return found

    def annotate(texts: Sequence[str]) -> Iterator[list[Mention]]:
        for text in texts:
            asked = spans(text)
            ranked = []
            for (start, end), candidates in zip(asked, generator([text[a:b] for a, b in asked], 5), strict=True):
                best = max(candidates, key=lambda c: max(c.similarities), default=None)
                if best is not None and max(best.similarities) >= _SCISPACY_SIMILARITY:
                    ranked.append((start, end, best.concept_id, max(best.similarities)))
            kept: list[Mention] = []
            for start, end, curie, _ in sorted(ranked, key=lambda r: (-(r[1] - r[0]) * r[3], r)):
                if all(end <= a or b <= start for a, b, _ in kept):
                    kept.append((start, end, curie))
            yield kept

    note = "mentions: all runs of up to five words; the build's time is that of the run that filled the cache"
    return Tool(annotate=annotate, build_s=build_s, load_s=load_s, note=note)


TOOLS: dict[str, tuple[str, Callable[[Vocabulary, Path, Path], Tool]]] = {
    "whydx": ("ontologies", whydx),
    "fasthpocr": ("FastHPOCR", fasthpocr),
    "gilda": ("gilda", gilda),
    "scispacy": ("nmslib", scispacy),
}


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


def measure(name: str, data: Path, hpo: Path) -> dict[str, Any]:
    """The figures of one tool, in this process."""
    known = vocabulary(hpo)
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
        "rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "note": tool.note,
    }


def current(mentions: dict[str, set[Mention]], primary: dict[str, str]) -> dict[str, set[Mention]]:
    """``mentions`` with identifiers in use for retired ones."""
    return {doc: {(a, b, primary.get(code, code)) for a, b, code in found} for doc, found in mentions.items()}


def _missing(name: str, data: Path) -> str:
    """Why a tool cannot run here, or ""."""
    package = TOOLS[name][0]
    if importlib.util.find_spec(package) is None:
        return f"{package} is not installed"
    if name == "fasthpocr" and not (data / _INDEX).is_file():
        return f"no index at {_INDEX}"
    return ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--obo", type=Path, help="hp.obo; default: the fetched one of --home")
    parser.add_argument("--home", type=Path)
    parser.add_argument("--tool", choices=TOOLS, action="append", help="only this one; may be repeated")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    hpo = arguments.obo or hpo_file(arguments.home)
    if arguments.here:
        print(json.dumps(measure(arguments.tool[0], arguments.data, hpo)))
        return
    results: dict[str, Any] = {}
    for name in arguments.tool or TOOLS:
        if reason := _missing(name, arguments.data):
            results[name] = {"missing": reason}
            continue
        command = [sys.executable, "-m", "benchmarks.linker", "--here", "--tool", name]
        command += ["--data", str(arguments.data), "--obo", str(hpo)]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        last = run.stdout.strip().splitlines()[-1:] or [""]
        if run.returncode:
            results[name] = {"missing": f"failed: {(run.stderr.strip().splitlines() or ['no message'])[-1]}"}
        else:
            results[name] = json.loads(last[0])
    print(json.dumps({"measured": stamp(), **results}) if arguments.json else table(results))


def hpo_file(home: Path | None) -> Path:
    """The fetched hp.obo."""
    from home import home_folder

    return home_folder(home) / "sources" / "hpo" / "hp.obo"


def table(results: dict[str, Any]) -> str:
    """The figures as a Markdown table."""
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


if __name__ == "__main__":
    main()
