"""How notes are read: ``python -m benchmarks.notes [--home HOME] [--data FOLDER] [--json] [--list KIND]``.

Five measures, each on what rules were made on ("mended") and on what nobody looked at while making them ("unseen"):

- sentences of notes, invented by annotators who did not know the program (tests/ontologies/linking/notes): the share of
  the marked mentions that are read right, by kind; one that is not linked counts as wrong unless it is none;
- reports that date the illness they tell of, and illness of the past (dated.jsonl);
- in which language short notes are (languages.jsonl): the share of other languages told, and of English left alone;
- phrases: how notes say each of the chest layer's findings, and near misses, by writers who did not see the linker
  (phrases.tsv; nothing was made from it): the share in which the finding or a kind of it is read, that in which
  anything above it is, and how often a near miss is read as the finding;
- 30 case reports and vignettes of the development data, marked whole (marked.jsonl has the places and no text): recall
  of all that a clinician would mark, with the right presence, and precision of what is read. By meaning, what is
  normal is also right when it is read as a normal finding that is there ("never smoked"), a vital sign when its value
  is read (36.8 °C denies fever), what stays when it is called history ("a history of diabetes"), and a time when it is
  the time of a finding. ``--causes``: why what is marked in the
  mended half was missed before it was mended (missed.tsv).

Whoever mends by a sentence of "unseen" moves it to "mended".
"""

from __future__ import annotations

import argparse
import csv
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import stamp
from home import home_folder, open_linker
from kg.graph import KnowledgeGraph
from ontologies.chest import layer as chest
from ontologies.linking.context.language import language
from ontologies.linking.linker import ConceptMatch, Linker

NOTES = Path(__file__).resolve().parent.parent / "tests" / "ontologies" / "linking" / "notes"
PARTS = ("mended", "unseen")
SETS = ("vignettes_dev", "medrbench_dev", "pmc_dev", "cupcase_dev", "e3c_dev")


def rows(name: str) -> list[dict[str, Any]]:
    """The rows of a JSON lines file of the tables."""
    return [json.loads(line) for line in (NOTES / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def over(matches: Iterable[ConceptMatch], start: int, end: int) -> list[ConceptMatch]:
    return [match for match in matches if match.start < end and match.end > start]


def judged(linker: Linker, sentences: Sequence[dict[str, Any]]) -> Iterator[tuple[str, str, str, list[str], bool]]:
    """(kind, line, mention, presences read, whether that is right) of every marked mention."""
    for row in sentences:
        matches = linker.link(row["line"], note=True)
        for mention, expected in row["expected"].items():
            accepted = expected if isinstance(expected, list) else [expected]
            start = row["line"].lower().find(mention.lower())
            read = [match.presence for match in over(matches, start, start + len(mention))]
            right = any(presence in accepted for presence in read) if read else None in accepted
            yield row["kind"], row["line"], mention, [str(presence) for presence in read], right


def sentence_figures(linker: Linker, part: str) -> dict[str, Any]:
    right, every, unlinked = Counter[str](), Counter[str](), 0
    for kind, _, _, read, good in judged(linker, rows(part)):
        every[kind] += 1
        right[kind] += good
        unlinked += not read and not good
    kinds = {kind: round(right[kind] / every[kind], 3) for kind in sorted(every)}
    return {
        "mentions": every.total(),
        "right": round(right.total() / every.total(), 4),
        "not linked": unlinked,
        "kinds": kinds,
    }


def dated_figures(linker: Linker, part: str) -> str:
    told = [right for *_, right in judged(linker, [row for row in rows("dated") if row["part"] == part])]
    return f"{sum(told)} of {len(told)}"


def language_figures(part: str) -> dict[str, float]:
    told, every = Counter[str](), Counter[str]()
    for row in rows("languages"):
        if row["part"] == part:
            every[row["lang"]] += 1
            told[row["lang"]] += (language(row["text"]) is None) == (row["lang"] == "en")
    return {lang: round(told[lang] / every[lang], 3) for lang in every}


def normal_findings() -> frozenset[str]:
    """The chest layer's codes of findings that say that something is as it should be."""
    rows = [row for row in chest.load().findings if row.kind == "normal" or row.name in ("Never smoker", "Non-drinker")]
    return frozenset(row.slug for row in rows)


def own_codes(match: ConceptMatch) -> set[str]:
    return {f"{system}:{code}" for system, own in match.concept.codes.items() for code in own}


def same(match: ConceptMatch, presence: str, kind: str, normal: frozenset[str]) -> bool:
    """Whether a match says what was marked, though its presence is called otherwise."""
    if presence == "present" and match.context == "history":
        return not chest.lasting().isdisjoint(own_codes(match))
    if kind == "vital":
        return presence == "present" and match.method == "measurement"
    return presence == "absent" and match.presence == "present" and not normal.isdisjoint(own_codes(match))


def time_places(note: str, match: ConceptMatch) -> list[tuple[int, int]]:
    """Where the time of a match stands."""
    if match.time is None:
        return []
    words = r"\s+".join(map(re.escape, match.time.split()))
    around = note[max(0, match.start - 120) : match.end + 120]
    return [
        (max(0, match.start - 120) + m.start(), max(0, match.start - 120) + m.end()) for m in re.finditer(words, around)
    ]


def causes() -> dict[str, int]:
    """How many marked things of the mended half were missed for each cause, as they were before mending."""
    lines = (NOTES / "missed.tsv").read_text(encoding="utf-8").splitlines()
    return dict(Counter(line.split("\t")[4] for line in lines if not line.startswith("#")).most_common())


def marked_figures(linker: Linker, part: str, data: Path) -> dict[str, Any]:
    notes = {}
    for name in SETS:
        for line in (data / "chest_text" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            notes[name, row["id"]] = row["note"]
    right = meant = touched = every = read = 0
    normal = normal_findings()
    missed = Counter[str]()
    for row in rows("marked"):
        if row["part"] != part:
            continue
        note = notes[row["set"], row["id"]][: row["chars"]]
        matches = linker.link(note, note=True)
        timed = [span for match in matches for span in time_places(note, match)]
        places = set()
        for start, end, presence, kind in row["mentions"]:
            own = over(matches, start, end)
            places |= {(match.start, match.concept.curie) for match in own}
            every += 1
            touched += bool(own)
            good = any(match.presence == presence for match in own)
            right += good
            when = kind == "course" and any(first < end and last > start for first, last in timed)
            meant += good or when or any(same(match, presence, kind, normal) for match in own)
            missed[kind] += not own and not when
        read += len({(match.start, match.concept.curie) for match in matches} - places)
    return {
        "mentions": every,
        "recall, right presence": round(right / every, 3),
        "recall by meaning": round(meant / every, 3),
        "recall of the place": round(touched / every, 3),
        "precision": round(right / (touched + read), 3),
        "precision by meaning": round(meant / (touched + read), 3),
        "missed": dict(missed.most_common()),
    }


def phrase_figures(linker: Linker, graph: KnowledgeGraph) -> dict[str, Any]:
    with (NOTES / "phrases.tsv").open(encoding="utf-8", newline="") as file:
        told = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    read = wider = wrong = stated = 0
    for row, matches in zip(told, linker.link_all([row["phrase"] for row in told], note=True), strict=True):
        meant = graph.resolve(row["finding_id"])
        present = {m.concept.curie for m in matches if m.presence == "present" and m.concept.curie in graph}
        own = any(curie == meant or meant in graph.ancestors(curie) for curie in present)
        if row["stated"] == "no":
            wrong += own
            continue
        stated += 1
        read += own
        wider += own or any(curie in graph.ancestors(meant) for curie in present)
    return {
        "phrases": stated,
        "read": round(read / stated, 3),
        "read, or something wider": round(wider / stated, 3),
        "near misses": len(told) - stated,
        "near misses read as it": round(wrong / (len(told) - stated), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--data", type=Path, help="the development data, for the marked notes")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--list", metavar="KIND", help="print what is read wrong of a mended kind, or of all")
    parser.add_argument("--causes", action="store_true", help="why what is marked was missed before mending")
    arguments = parser.parse_args()
    if arguments.causes:
        print(json.dumps(causes(), indent=2))
        return
    linker = open_linker(home_folder(arguments.home))
    if arguments.list:
        for kind, line, mention, read, right in judged(linker, rows("mended")):
            if not right and arguments.list in (kind, "all"):
                print(f"{kind}: {line!r} {mention}: {', '.join(read) or 'not linked'}")
        return
    result: dict[str, Any] = {"measured": stamp()}
    for part in PARTS:
        result[part] = {
            "dated": dated_figures(linker, part),
            "sentences": sentence_figures(linker, part),
            "language told": language_figures(part),
        }
        if arguments.data is not None:
            result[part]["marked notes"] = marked_figures(linker, part, arguments.data)
    result["phrases"] = phrase_figures(linker, KnowledgeGraph.open(home_folder(arguments.home) / "graph"))
    print(json.dumps(result, indent=None if arguments.json else 2, ensure_ascii=False))


if __name__ == "__main__":
    main()
