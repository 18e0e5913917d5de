"""Scores respond to a candidate's own evidence and to nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fusion.branch import Candidate
from fusion.calibration import Calibration, Calibrations
from fusion.scorer import Question, Scorer, none_features, questions
from fusion.workup import FEATURES, LOOKED, RANKER, UNREMARKABLE, Case, Observed, Workup, WorkupRoom, unremarkable
from kg.likelihood import LikelihoodModel

CLOSE = 2e-5  # what sharing a batch does to the last bits


def ask(workup: Workup, candidate: Candidate, removed: tuple[int, ...] = ()) -> Question:
    return Question(workup=workup, candidate=candidate, removed=removed)


def test_masking_equals_removing(workup: Workup, scorer: Scorer) -> None:
    for candidate in workup.candidates:
        for i in range(len(candidate.branches)):
            gone = candidate.branches[i].share
            without = replace(
                candidate,
                features=candidate.features - (0 if gone is None else gone),
                branches=candidate.branches[:i] + candidate.branches[i + 1 :],
            )
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
    network.weight.copy_(torch.arange(float(len(FEATURES))))
    parts = Scorer(network, open_tokenizer()).parts(questions(workup))
    expected = [float(c.features / np.array(FEATURE_SCALE) @ np.arange(len(FEATURES))) for c in workup.candidates]
    np.testing.assert_allclose(parts.base, expected, rtol=1e-5)
    assert not parts.correction.any()


def test_the_gate_scales_the_correction(workup: Workup, scorer: Scorer) -> None:
    parts = scorer.parts(questions(workup))
    half = Scorer(scorer.reasoner, scorer.tokenize, calibrations=Calibrations(words=Calibration(gate=0.5))).scores(
        questions(workup)
    )
    np.testing.assert_allclose(half, parts.base + parts.correction / 2, atol=CLOSE)


def test_images_alone_have_a_gate_of_their_own(workup: Workup, scorer: Scorer) -> None:
    gated = Scorer(scorer.reasoner, scorer.tokenize, calibrations=Calibrations(words=Calibration(gate=0.0)))
    seen = replace(workup.case, worded=False)
    for case, by_images in ((workup.case, False), (seen, True), (seen.without("HP:1"), True)):
        asked = questions(replace(workup, case=case))
        parts = gated.parts(asked)
        np.testing.assert_array_equal(gated.scores(asked), parts.base + by_images * parts.correction)


def test_words_beside_an_image_have_a_calibration_of_their_own(workup: Workup, scorer: Scorer) -> None:
    both = Calibrations(words=Calibration(gate=0.0), images=Calibration(gate=0.0), both=Calibration(gate=1.0))
    for case, heard in ((workup.case, False), (replace(workup.case, imaged=True), True)):
        asked = questions(replace(workup, case=case))
        parts = scorer.parts(asked)
        own = Scorer(scorer.reasoner, scorer.tokenize, calibrations=both)
        np.testing.assert_array_equal(own.scores(asked), parts.base + heard * parts.correction)
    without = replace(both, both=None)
    assert without.of(True, imaged=True) == without.words, "fitted before: as words alone"
    assert both.of(False, imaged=True) == both.images


def test_conditions_take_the_evidence_away_or_swap_it(workup: Workup) -> None:
    on, off, swapped = (questions(workup, how) for how in ("on", "off", "shuffled"))
    last = len(on) - 1
    rests = [np.sum([b.share for b in q.candidate.branches if b.share is not None] or [0.0], axis=0) for q in on]
    assert sum(np.any(r) for r in rests) >= 2
    for i, (q, without, other) in enumerate(zip(on, off, swapped, strict=True)):
        assert not without.candidate.branches
        j = (i + 1) % last if i < last else i
        assert other.candidate.branches == on[j].candidate.branches
        if i < last:
            np.testing.assert_allclose(without.candidate.features, q.candidate.features - rests[i], atol=1e-6)
            np.testing.assert_allclose(other.candidate.features, q.candidate.features - rests[i] + rests[j], atol=1e-6)


def test_a_path_carries_what_its_finding_adds_to_the_graphs_score(workup: Workup, room: WorkupRoom) -> None:
    carried = 0
    for candidate in workup.candidates[:-1]:
        for i, branch in enumerate(candidate.branches):
            if branch.kind == "kg_path":
                expected = room.features(workup.case.without(branch.anchor), [candidate.curie])[0]
                left = ask(workup, candidate, (i,)).features
                np.testing.assert_allclose(left, expected, atol=1e-6)
                carried += bool(np.abs(candidate.features - left).max() > 0.1)
            else:
                assert branch.share is None
    assert carried >= 3


def test_the_network_may_trust_a_path_from_not_at_all_to_twice(workup: Workup, scorer: Scorer) -> None:
    import copy

    import torch

    workups = [ask(workup, c) for c in workup.candidates]
    network = copy.deepcopy(scorer.reasoner)
    torch.nn.init.zeros_(network.head[-1].weight)
    scale = np.array(network.config.scale)
    weight = network.weight.double().numpy() / scale
    rests = [sum(float(b.share @ weight) for b in c.branches if b.share is not None) for c in workup.candidates]
    for trust in (-20.0, 0.0, 20.0):
        torch.nn.init.constant_(network.trust[-1].bias, trust)
        found = Scorer(network, scorer.tokenize).parts(workups).correction
        np.testing.assert_allclose(found, np.sign(trust) * np.array(rests), atol=1e-3)


def test_what_the_whole_image_says_bears_on_no_acute_disease_alone(room: WorkupRoom, workup: Workup) -> None:
    from fusion.prior import NORMAL

    said = Observed(curie=NORMAL, presence="uncertain", odds_ratio=4.0)
    case = replace(workup.case, observed=(*workup.case.observed, said))
    assert unremarkable(workup.case) is None
    assert unremarkable(case) == pytest.approx(np.log(4))
    stated = replace(said, presence="present", odds_ratio=None)
    assert unremarkable(replace(case, observed=(stated,))) == pytest.approx(np.log(1000))
    assert room.patient(case) == room.patient(workup.case), "it is no finding of the trunk"
    np.testing.assert_array_equal(room.features(case, ["OMIM:1"]), room.features(workup.case, ["OMIM:1"]))
    listed = dict(room.shortlist(case, 2))
    assert listed[NORMAL][[UNREMARKABLE, LOOKED]] == pytest.approx([np.log(4), 1])
    assert len(listed) == 2
    assert NORMAL not in dict(room.shortlist(workup.case, 2))


def test_a_ranked_room_scores_by_its_ranker(room: WorkupRoom, likelihood: LikelihoodModel, workup: Workup) -> None:
    from kg.ranker import Ranker

    ranked = WorkupRoom(room.graph, Ranker(likelihood, "published"))
    shortlist = ranked.shortlist(workup.case, 3)
    scores = [float(f[RANKER]) for _, f in shortlist]
    assert scores == sorted(scores, reverse=True)
    assert not np.delete(np.stack([f for _, f in shortlist]), RANKER, axis=1).any()
    np.testing.assert_allclose(
        ranked.features(workup.case, [c for c, _ in shortlist]), np.stack([f for _, f in shortlist]), rtol=1e-5
    )
    assert ranked.lay_out(workup.case, shortlist).ranked
