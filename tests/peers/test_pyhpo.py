"""pyhpo's similarity with remembered answers is pyhpo's similarity."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.mark.peer
def test_remembering_changes_no_score() -> None:
    pytest.importorskip("pyhpo", reason="the extra of peers is not installed")
    from benchmarks.peers.pyhpo_similarity import BestMatchAverage

    peer = BestMatchAverage(["OMIM:154700", "OMIM:162000", "OMIM:142900", "OMIM:0"])
    findings = ["HP:0001166", "HP:0001083", "HP:0002616", "HP:9999999"]
    scores = peer.scores(findings)
    np.testing.assert_array_equal(scores, peer.scores(findings, "resnik"))
    np.testing.assert_array_equal(peer.scores([]), np.zeros(4))
    assert (scores[:3] > 0).all()
    assert scores[3] == 0, "an unknown disease is like nobody"
