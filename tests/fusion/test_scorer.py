"""Scores respond to a candidate's own evidence and to nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fusion.branch import Candidate
from fusion.scorer import Question, Scorer, none_features, questions
from fusion.workup import Case, Workup, WorkupRoom

CLOSE = 2e-5  # what sharing a batch does to the last bits


def ask(workup: Workup, candidate: Candidate, removed: tuple[int, ...] = ()) -> Question:
    return Question(workup=workup, candidate=candidate, removed=removed)


def test_masking_equals_removing(workup: Workup, scorer: Scorer) -> None:
    for candidate in workup.candidates:
        for i in range(len(candidate.branches)):
            without = replace(candidate, branches=candidate.branches[:i] + candidate.branches[i + 1 :])
            masked, removed, full = scorer.scores(
                [ask(workup, candidate, (i,)), ask(workup, without), ask(workup, candidate)]
            )
            assert masked == pytest.approx(removed, abs=CLOSE)
            assert abs(full - masked) > CLOSE, "a branch that changes nothing is not evidence"


def test_removing_one_kind_changes_only_what_has_it(workup: Workup, scorer: Scorer) -> None:
    full = scorer.scores([ask(workup, c) for c in workup.candidates])
    for kind in ("kg_path", "image_region", "literature", "case"):
        of_kind = [tuple(i for i, b in enumerate(c.branches) if b.kind == kind) for c in workup.candidates]
        assert any(of_kind)
        without = scorer.scores(
            [ask(workup, c, removed) for c, removed in zip(workup.candidates, of_kind, strict=True)]
        )
        changed = np.abs(full - without) > CLOSE
        assert changed.tolist() == [bool(removed) for removed in of_kind]


def test_branches_in_any_order_score_the_same(workup: Workup, scorer: Scorer) -> None:
    candidate = workup.candidates[0]
    turned = replace(candidate, branches=candidate.branches[::-1])
    one, other = scorer.scores([ask(workup, candidate), ask(workup, turned)])
    assert one == pytest.approx(other, abs=CLOSE)


def test_findings_in_any_order_score_the_same(room: WorkupRoom, scorer: Scorer, workup: Workup) -> None:
    case = workup.case
    turned = Case(observed=case.observed[::-1], note=case.note, age=case.age, sex=case.sex)
    again = room.lay_out(turned, room.shortlist(turned, 3))
    first = room.lay_out(case, room.shortlist(case, 3))
    assert [c.curie for c in again.candidates] == [c.curie for c in first.candidates]
    np.testing.assert_array_equal(
        scorer.scores([ask(again, c) for c in again.candidates]),
        scorer.scores([ask(first, c) for c in first.candidates]),
    )


def test_scores_come_back_in_the_order_of_the_questions(workup: Workup, scorer: Scorer) -> None:
    questions = [ask(workup, c) for c in workup.candidates] * 30  # several batches
    scores = scorer.scores(questions)
    for i in range(len(workup.candidates)):
        np.testing.assert_allclose(scores[i :: len(workup.candidates)], scores[i], atol=CLOSE)


def test_none_of_these_is_weighed_by_the_findings(workup: Workup) -> None:
    none = workup.candidates[-1]
    np.testing.assert_allclose(none_features(ask(workup, none)), [1, workup.information / 10, 0, 0], rtol=1e-6)
    ranked = replace(workup, ranked=True)
    np.testing.assert_allclose(none_features(ask(ranked, none)), [0, 0, 1, workup.information / 10], rtol=1e-6)
    assert not none_features(ask(workup, workup.candidates[0])).any()


def test_an_untrained_head_ranks_as_the_graph_does(workup: Workup) -> None:
    import torch

    from fusion.checkpoint import bert_files, open_tokenizer
    from fusion.reasoner import FEATURE_SCALE, ReasonerConfig, build

    network = build(*bert_files(), ReasonerConfig(region_dim=8))
    network.weight.copy_(torch.arange(9.0))
    parts = Scorer(network, open_tokenizer()).parts(questions(workup))
    expected = [float(c.features / np.array(FEATURE_SCALE) @ np.arange(9.0)) for c in workup.candidates]
    np.testing.assert_allclose(parts.base, expected, rtol=1e-5)
    assert not parts.correction.any()


def test_the_gate_scales_the_correction(workup: Workup, scorer: Scorer) -> None:
    parts = scorer.parts(questions(workup))
    half = Scorer(scorer.reasoner, scorer.tokenize, gate=0.5).scores(questions(workup))
    np.testing.assert_allclose(half, parts.base + parts.correction / 2, atol=CLOSE)


def test_conditions_take_the_evidence_away_or_swap_it(workup: Workup) -> None:
    on, off, swapped = (questions(workup, how) for how in ("on", "off", "shuffled"))
    last = len(on) - 1
    for i, (q, without, other) in enumerate(zip(on, off, swapped, strict=True)):
        assert without.candidate == replace(q.candidate, branches=())
        expected = on[(i + 1) % last].candidate.branches if i < last else q.candidate.branches
        assert other.candidate == replace(q.candidate, branches=expected)


def test_a_ranked_room_scores_by_its_ranker(room: WorkupRoom, workup: Workup) -> None:
    from kg.ranker import Ranker

    ranker = Ranker(room.likelihood, "published")
    ranked = WorkupRoom(room.graph, room.likelihood, ranker)
    shortlist = ranked.shortlist(workup.case, 3)
    assert [float(f[-1]) for _, f in shortlist] == sorted((float(f[-1]) for _, f in shortlist), reverse=True)
    assert not np.stack([f for _, f in shortlist])[:, :-1].any()
    np.testing.assert_allclose(
        ranked.features(workup.case, [c for c, _ in shortlist]), np.stack([f for _, f in shortlist]), rtol=1e-5
    )
    assert ranked.lay_out(workup.case, shortlist).ranked
