"""How notes are read: ``python -m benchmarks.notes [--home HOME] [--data FOLDER] [--part PART] [--list KIND]``.

Six measures, each on what rules were made on ("mended") and on what nobody looked at while making them ("unseen"):

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
  the time of a finding;
- sentences as clinicians write them (written.tsv), marked whole with the finding that each mark states, before any was
  read: the same figures, and the share whose finding, or one above or below it, is read. Marks whose finding the
  graph does not have count by their place. ``--causes``: why what is marked in the
  mended half of the case reports was missed before it was mended (missed.tsv).

Whoever mends by a sentence of "unseen" moves it to "mended".
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.machine import stamp
from home import home_folder, open_linker
from kg.graph import KnowledgeGraph
from ontologies.chest import layer as chest
from ontologies.linking.context.language import language
from ontologies.linking.linker import ConceptMatch, Linker

NOTES = Path(__file__).resolve().parent.parent / "tests" / "ontologies" / "linking" / "notes"
PARTS = ("mended", "unseen")
_MARK = re.compile(r"\[([-+?<^])([^|\]]+)\|([^\]]+)\]")
_SIGNS = {"+": "present", "-": "absent", "?": "uncertain", "<": "not assessed", "^": "not assessed"}
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


class Mark(NamedTuple):
    """``text[start:end]`` states that ``finding`` is as ``presence`` has it."""

    start: int
    end: int
    presence: str
    finding: str


def written(part: str) -> Iterator[tuple[str, str, list[Mark]]]:
    """(kind, sentence, its marks) of each sentence of written.tsv that is in a half."""
    for line in (NOTES / "written.tsv").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        kind, sentence = line.split("\t", 1)
        if PARTS[int(hashlib.sha256(sentence.encode()).hexdigest(), 16) % 2] != part:
            continue
        text, marks, at = "", list[Mark](), 0
        plain = sentence.replace("\\n", "\n").replace("\\t", "\t")
        for match in _MARK.finditer(plain):
            text += plain[at : match.start()]
            marks.append(Mark(len(text), len(text) + len(match[3]), _SIGNS[match[1]], match[2]))
            text, at = text + match[3], match.end()
        yield kind, text + plain[at:], marks


def weighed(
    linker: Linker, graph: KnowledgeGraph, part: str
) -> Iterator[tuple[str, str, list[tuple[Mark, list[ConceptMatch], bool, bool]], list[ConceptMatch]]]:
    """Of each sentence of a half: its kind, its text, each mark with what is read there, whether that is right by
    meaning and whether it is the finding; and what is read where nothing is marked."""
    normal = normal_findings()
    for kind, text, marks in written(part):
        matches = linker.link(text, note=True)
        told = []
        for mark in marks:
            own = over(matches, mark.start, mark.end)
            well = [m for m in own if m.presence == mark.presence or same(m, mark.presence, kind, normal)]
            when = kind == "course" and any(
                first < mark.end and last > mark.start for match in matches for first, last in time_places(text, match)
            )
            named = linker._recognizer.named(mark.finding)
            meant = None if named is None else graph.resolve(linker.concept(named.concept).curie)
            told.append((mark, own, bool(well) or when, when or any(_is(graph, m, meant, normal) for m in well)))
        yield kind, text, told, [m for m in matches if not over_any(m, marks)]


def over_any(match: ConceptMatch, marks: Sequence[Mark]) -> bool:
    return any(match.start < mark.end and match.end > mark.start for mark in marks)


def _is(graph: KnowledgeGraph, match: ConceptMatch, meant: str | None, normal: frozenset[str]) -> bool:
    """Whether a match is the finding meant, a kind of it or what it is a kind of; or says that something is normal."""
    if meant is None or meant not in graph or not normal.isdisjoint(own_codes(match)):
        return True
    read = graph.resolve(match.concept.curie)
    return read == meant or (read in graph and (read in graph.ancestors(meant) or meant in graph.ancestors(read)))


def written_figures(linker: Linker, graph: KnowledgeGraph, part: str) -> dict[str, Any]:
    marks, meant, found, right, touched, beside = (Counter[str]() for _ in range(6))
    for kind, _, told, rest in weighed(linker, graph, part):
        beside[kind] += len({(m.start, m.concept.curie) for m in rest})
        for mark, own, well, finding in told:
            marks[kind] += 1
            right[kind] += any(m.presence == mark.presence for m in own)
            meant[kind] += well
            found[kind] += finding
            touched[kind] += bool(own)
    every, read = marks.total(), touched.total() + beside.total()
    return {
        "marks": every,
        "recall, right presence": round(right.total() / every, 3),
        "recall by meaning": round(meant.total() / every, 3),
        "recall of the finding": round(found.total() / every, 3),
        "recall of the place": round(touched.total() / every, 3),
        "precision": round(right.total() / read, 3),
        "precision by meaning": round(meant.total() / read, 3),
        "precision of the finding": round(found.total() / read, 3),
        "kinds, marks and recall by meaning": {k: [n, round(meant[k] / n, 3)] for k, n in marks.items()},
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


def listed(linker: Linker, graph: KnowledgeGraph, kind: str) -> None:
    """Print what is read wrong of a kind in what rules were made on."""
    for own, line, mention, presences, right in judged(linker, rows("mended")):
        if not right and kind in (own, "all"):
            print(f"{own}: {line!r} {mention}: {', '.join(presences) or 'not linked'}")
    for own, text, told, rest in weighed(linker, graph, "mended"):
        if kind not in (own, "all"):
            continue
        for mark, matches, right, finding in told:
            if not (right and finding):
                read = ", ".join(f"{m.presence} {m.concept.name} [{m.mention}]" for m in matches) or "not linked"
                said = text[mark.start : mark.end]
                print(f"{own}: {text!r} {said!r}: {mark.presence} {mark.finding}; read: {read}")
        for match in rest:
            print(f"{own}: {text!r} {match.mention!r}: not marked; read: {match.presence} {match.concept.name}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--data", type=Path, help="the development data, for the marked notes")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--part", choices=PARTS, help="only what rules were made on, or only what nobody looked at")
    parser.add_argument("--list", metavar="KIND", help="print what is read wrong of a mended kind, or of all")
    parser.add_argument("--causes", action="store_true", help="why what is marked was missed before mending")
    arguments = parser.parse_args()
    if arguments.causes:
        print(json.dumps(causes(), indent=2))
        return
    linker = open_linker(home_folder(arguments.home))
    graph = KnowledgeGraph.open(home_folder(arguments.home) / "graph")
    if arguments.list:
        listed(linker, graph, arguments.list)
        return
    result: dict[str, Any] = {"measured": stamp()}
    for part in PARTS:
        if arguments.part not in (None, part):
            continue
        result[part] = {
            "dated": dated_figures(linker, part),
            "sentences": sentence_figures(linker, part),
            "language told": language_figures(part),
            "written": written_figures(linker, graph, part),
        }
        if arguments.data is not None:
            result[part]["marked notes"] = marked_figures(linker, part, arguments.data)
    result["phrases"] = phrase_figures(linker, graph)
    print(json.dumps(result, indent=None if arguments.json else 2, ensure_ascii=False))


if __name__ == "__main__":
    main()
