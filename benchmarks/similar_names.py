"""What recognition by meaning adds to the dictionary: ``python -m benchmarks.similar_names [--home HOME] [--json]``.

On the development sets: document F1 without and with it at each threshold, what it adds that is right and wrong, how
many phrases are NIL for which reason, and texts per second of processor time of both ways, on the same texts.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from time import process_time
from typing import Any

from benchmarks.linker import SETS, current, hpo_file
from benchmarks.machine import stamp
from benchmarks.peers.linkers import hpo as vocabulary
from home import home_folder
from ontologies.linking.evaluate import Mention, read_pubtator, score
from ontologies.linking.linker import ConceptMatch, Linker
from retrieval.similar_names import THRESHOLD, SimilarNames

THRESHOLDS = (0.75, 0.8, THRESHOLD, 0.9)


def measure(home: Path, data: Path) -> dict[str, Any]:
    """Every figure, by set."""
    linker = Linker.open(home / "linker")
    similar = SimilarNames.of_home(home, linker)
    primary = vocabulary(hpo_file(home)).primary
    result: dict[str, Any] = {}
    for part in SETS:
        texts, gold = read_pubtator(data / "hpo_recognition" / f"{part}.pubtator")
        gold = current(gold, primary)
        started = process_time()
        plain = _mentions(texts, linker.link_all(texts.values(), systems=("HP",), assess=False), primary)
        middle = process_time()
        row: dict[str, Any] = {"f1": score(gold, plain)["document"]["f1"]}
        for threshold in THRESHOLDS:
            similar.threshold = threshold
            before = process_time()
            found, nils = zip(*similar.link_all(texts.values(), systems=("HP",), assess=False), strict=True)
            after = process_time()
            both = _mentions(texts, found, primary)
            added = [
                code in {c for *_, c in gold[document]}
                for document in texts
                for code in {c for *_, c in both[document]} - {c for *_, c in plain[document]}
            ]
            row[f"at {threshold}"] = {
                "f1": score(gold, both)["document"]["f1"],
                "right": sum(added),
                "wrong": len(added) - sum(added),
                "nil": dict(sorted(Counter(nil.reason for some in nils for nil in some).items())),
                "docs_per_s": round(len(texts) / (after - before), 1),
            }
        row["docs_per_s"] = round(len(texts) / (middle - started), 1)
        result[part] = row
    return result


def _mentions(texts: Any, found: Any, primary: dict[str, str]) -> dict[str, set[Mention]]:
    def code(match: ConceptMatch) -> str:
        return f"HP:{match.concept.code('HP')}"

    mentions = {
        document: {(m.start, m.end, code(m)) for m in matches} for document, matches in zip(texts, found, strict=True)
    }
    return current(mentions, primary)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--home", type=Path)
    parser.add_argument("--json", action="store_true", help="one object on one line")
    arguments = parser.parse_args()
    result = {"measured": stamp(), **measure(home_folder(arguments.home), arguments.data)}
    print(json.dumps(result, indent=None if arguments.json else 1))


if __name__ == "__main__":
    main()
