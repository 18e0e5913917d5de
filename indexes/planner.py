"""Which vector index to build: by size, memory and the recall that is asked for.

Sizes follow FAISS (github.com/facebookresearch/faiss/wiki/Guidelines-to-choose-an-index): Flat holds 4·d bytes for each
vector; HNSW with M links 4·d, 8·M for the links of the lowest level, and about 4·M/(M − 1) + 12 for the levels above
and where each begins; IVF with 8-bit scalar quantisation d + 8; IVF with product quantisation of m bytes m + 8;
centroids 4·d each. What FAISS allocates in advance is counted by SLACK. ``docs/scaling.md`` has them beside what was
measured.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from errors import InputError

Kind = Literal["flat", "hnsw", "ivf-sq8", "ivf-pq"]

EXACT_BELOW = 200_000  # one core scans this many 384-dimensional vectors in about 20 ms
HNSW_LINKS, HNSW_EFFORT = 16, 64
SLACK = 1.05
_FLAT_BUILD, _FLAT_QUERY = 1.07e-8, 1.5e-7  # seconds and milliseconds for each number of a vector
_CODES = (96, 64, 48, 32, 24, 16, 8, 4, 2, 1)  # bytes of a product code, all of them possible on a GPU, too


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexPlan:
    """``parameters`` are those of the kind: M, efConstruction, efSearch; nlist, nprobe, m, bits, refine (candidates for
    each answer whose exact scores are computed). ``estimated_bytes`` is the memory the open index takes; the vectors
    themselves stay on disk for the approximate kinds. ``build_seconds`` (of one core) and ``query_ms`` are what the
    rates measured in docs/scaling.md come to, None for a kind of which none was measured. ``reason`` is one sentence
    for the reader of ``whydx index plan``."""

    kind: Kind
    parameters: Mapping[str, int] = field(default_factory=dict)
    estimated_bytes: int
    reason: str
    build_seconds: float | None = None
    query_ms: float | None = None


def _pace_of_a_graph(n: int, dim: int) -> dict[str, float]:
    """Of one core, with HNSW_LINKS: 0.31 ms a vector to build up to a million, 0.4 up to ten and 0.5 above; a query of
    0.14 ms among 10,000 vectors and 0.125 ms more for each tenfold, in 384 dimensions."""
    each = 0.31e-3 if n <= 1_000_000 else 0.4e-3 if n <= 10_000_000 else 0.5e-3
    query = 0.14 + 0.125 * max(0.0, math.log10(n) - 4)
    return {"build_seconds": each * n * dim / 384, "query_ms": query * dim / 384}


def plan(n: int, dim: int, memory_bytes: int, recall_target: float = 0.95, *, device: str = "cpu") -> IndexPlan:
    """The index for ``n`` vectors of ``dim`` float32 that fits in ``memory_bytes``.

    Exact where that is quick or where recall 1 is asked for; otherwise the most accurate kind that fits, of those that
    ``device`` ("cpu" or "cuda") can search: a GPU has no HNSW. The search parameters are a first guess that the build
    raises until the measured recall@10 reaches ``recall_target``. Raises InputError when nothing fits or the target is
    outside (0, 1].
    """
    if n < 0 or dim < 1:
        raise InputError("no such matrix", value=f"{n} × {dim}", expected="n ≥ 0 vectors of at least one dimension")
    if not 0 < recall_target <= 1:
        raise InputError("the recall target is outside (0, 1]", value=recall_target, expected="0.95, for example")
    flat = 4 * n * dim
    if flat <= memory_bytes and (n <= EXACT_BELOW or recall_target == 1):
        why = "recall 1 is asked for" if n > EXACT_BELOW else f"{n:,} vectors are scanned exactly in milliseconds"
        return IndexPlan(
            kind="flat",
            estimated_bytes=flat,
            reason=f"exact: {why}",
            build_seconds=_FLAT_BUILD * n * dim,
            query_ms=_FLAT_QUERY * n * dim,
        )
    if recall_target == 1:
        raise InputError("exact search does not fit", value=f"{memory_bytes} bytes", expected=f"at least {flat} bytes")
    links = HNSW_LINKS if recall_target <= 0.95 else 2 * HNSW_LINKS
    hnsw = int(SLACK * n * (4 * dim + 8 * links + 4 * links / (links - 1) + 12))
    if hnsw <= memory_bytes and device == "cpu":
        return IndexPlan(
            kind="hnsw",
            parameters={"M": links, "efConstruction": HNSW_EFFORT * links // HNSW_LINKS, "efSearch": 32},
            estimated_bytes=hnsw,
            reason=f"a graph over {n:,} vectors fits in the budget and answers in logarithmic time",
            **(_pace_of_a_graph(n, dim) if links == HNSW_LINKS else {}),
        )
    # FAISS wants 39 training vectors for each centroid
    lists = max(1, min(65_536, 4 * int(math.sqrt(n)), n // 39 or 1))
    probes = max(1, lists // 256)
    scalar = int(SLACK * n * (dim + 8)) + 4 * lists * dim
    if scalar <= memory_bytes:
        return IndexPlan(
            kind="ivf-sq8",
            parameters={"nlist": lists, "nprobe": probes, "refine": 4},
            estimated_bytes=scalar,
            reason="full vectors do not fit in the budget; one byte for each dimension does",
        )
    centroids = 4 * lists * dim + 4 * 256 * dim
    codes = [code for code in _CODES if dim % code == 0]
    product = {code: int(SLACK * n * (code + 8)) + centroids for code in codes}
    for code in codes:
        if product[code] <= memory_bytes and code >= min(8, codes[0]):
            return IndexPlan(
                kind="ivf-pq",
                parameters={"nlist": lists, "nprobe": probes, "m": code, "bits": 8, "refine": 8},
                estimated_bytes=product[code],
                reason=f"one byte for each dimension does not fit in the budget; codes of {code} bytes do",
            )
    least = min(size for code, size in product.items() if code >= min(8, codes[0]))
    raise InputError("no index fits", value=f"{memory_bytes} bytes", expected=f"at least {least} bytes of memory")
