"""What linking, encoding and looking at an image cost: ``python -m benchmarks.scale.rates [--home HOME]``.

Processor seconds of one thread for each text (abstracts of the home's papers, cut as collections cut them) and for each
image (phantoms of 512 pixels), beside the bytes that a paper takes in the home's index: the rates of docs/scaling.md.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

from benchmarks.machine import stamp
from home import home_folder, open_graph, open_linker
from retrieval.encoder import Encoder
from retrieval.hybrid import searched_text
from retrieval.literature import LONGEST, Literature

TEXTS, IMAGES = 100, 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--home", type=Path)
    home = home_folder(parser.parse_args().home)
    papers = Literature.open(home)
    step = max(1, len(papers) // TEXTS)
    texts = [searched_text(papers.index.documents[row]) for row in range(0, len(papers), step)][:TEXTS]
    linker, encoder = open_linker(home), Encoder.load()
    list(encoder.each(texts[:3], longest=LONGEST))
    list(linker.link_all(texts[:3]))
    found = {"papers": len(papers), "texts": len(texts)}
    started = time.process_time()
    list(encoder.each(texts, longest=LONGEST))
    encoded = time.process_time()
    list(linker.link_all(texts))
    linked = time.process_time()
    rates = {"encode_ms": (encoded - started) / len(texts) * 1e3, "link_ms": (linked - encoded) / len(texts) * 1e3}
    rates["look_ms"] = _look(home) * 1e3
    for part in ("documents", "bm25", "grams", "dense", "concepts"):
        size = sum(file.stat().st_size for file in (home / "indexes" / "literature" / part).iterdir())
        rates[f"{part}_bytes"] = size / len(papers)
    print(json.dumps(found | {name: round(value, 2) for name, value in rates.items()} | {"machine": stamp()}))


def _look(home: Path) -> float:
    """Processor seconds for an image."""
    from fusion.collecting.seen import Eyes
    from vision.phantom.radiograph import write_phantom

    with tempfile.TemporaryDirectory() as folder:
        films = [write_phantom(Path(folder) / f"{number}.dcm", seed=number) for number in range(IMAGES + 1)]
        eyes = Eyes(open_graph(home), "cpu")
        eyes.look(films[0])
        started = time.process_time()
        for film in films[1:]:
            eyes.look(film)
        return (time.process_time() - started) / IMAGES


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
