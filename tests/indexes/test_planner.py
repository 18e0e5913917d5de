from __future__ import annotations

import pytest

from errors import InputError
from indexes.planner import plan

GB = 1024**3


@pytest.mark.parametrize(
    ("n", "memory", "kind"),
    [
        (0, GB, "flat"),
        (4_000, GB, "flat"),
        (1_000_000, 4 * GB, "hnsw"),
        (1_000_000, GB, "ivf-sq8"),
        (30_000_000, 4 * GB, "ivf-pq"),
    ],
)
def test_the_most_accurate_kind_that_fits(n: int, memory: int, kind: str) -> None:
    chosen = plan(n, 384, memory, 0.95)
    assert chosen.kind == kind
    assert chosen.estimated_bytes <= memory


@pytest.mark.parametrize(
    ("n", "measured", "ms"),  # docs/scaling.md, seconds of one core and milliseconds
    [(10_000, 0.01, 0.34), (100_000, 0.3, 6.7), (1_000_000, 305, 0.39)],
)
def test_how_fast_is_near_what_was_measured(n: int, measured: float, ms: float) -> None:
    chosen = plan(n, 384, 4 * GB)
    assert chosen.build_seconds == pytest.approx(measured, abs=0.15, rel=0.2)
    assert chosen.query_ms == pytest.approx(ms, rel=0.2, abs=0.3)


def test_what_was_not_measured_is_not_said() -> None:
    coded, other = plan(1_000_000, 384, GB), plan(1_000_000, 384, 8 * GB, 0.99)
    assert (coded.kind, coded.query_ms, other.kind, other.build_seconds) == ("ivf-sq8", None, "hnsw", None)


def test_a_gpu_has_no_graph() -> None:
    assert plan(1_000_000, 384, 4 * GB, device="cuda").kind == "ivf-sq8"


def test_a_quarter_of_the_memory_of_a_graph() -> None:
    graph = plan(1_000_000, 384, 4 * GB)
    coded = plan(1_000_000, 384, graph.estimated_bytes // 5)
    assert (graph.kind, coded.kind, coded.parameters["m"]) == ("hnsw", "ivf-pq", 96)


def test_recall_one_is_exact_or_refused() -> None:
    assert plan(1_000_000, 384, 4 * GB, 1.0).kind == "flat"
    with pytest.raises(InputError, match="at least 1536000000 bytes"):
        plan(1_000_000, 384, GB, 1.0)


def test_nothing_fits() -> None:
    with pytest.raises(InputError, match="no index fits"):
        plan(100_000_000, 384, GB, 0.9)
    with pytest.raises(InputError, match="recall target"):
        plan(10, 384, GB, 1.5)
