"""A page with all that can be on it: pictures, answers, a working differential and the note."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from fusion.diagnosis import DiagnosticReport
from fusion.why.answer import Change, Comparison, Informative, Shift, WhatIf, WhyNot
from fusion.why.answers import Answers, LookedFor, Revision
from fusion.why.working import Own, Working
from ontologies.concept import Concept
from reports.html import HtmlReporter
from reports.page.picture import picture
from vision.image import ImageInstance

FEVER, ASTHMA = Concept(curie="UMLS:C0015967", name="Fever"), Concept(curie="D:2", name="Asthma")
NOTE = "Fever, blorbing toe."


def ranking(title: Concept, report: DiagnosticReport, probability: float) -> WhatIf:
    first = report.diagnoses[0].concept
    shift = Shift(
        disease=first, rank_before=1, rank_after=2, probability_before=0.62, probability_after=probability
    )  # fmt: skip
    change = Change(finding=title, before="present", after="absent")
    return WhatIf(changes=(change,), shifts=(shift,), none_before=0.3, none_after=0.4)


@pytest.fixture
def film() -> ImageInstance:
    rng = np.random.default_rng(0)
    pixels = rng.random((300, 240)).astype(np.float32)
    return ImageInstance(sop_instance_uid="1", study_instance_uid="1", pixels=pixels)


@pytest.fixture
def full(film: ImageInstance) -> Callable[..., HtmlReporter]:
    """``full(report, text)``: the reporter of a page with everything, ``text`` standing wherever a text can."""

    def make(report: DiagnosticReport, text: str = "Sarcoidosis") -> HtmlReporter:
        other = Concept(curie="X:9", name=text)
        facts = tuple(f for f in report.findings if f.concept is not None)
        own = [f.concept.curie for f in facts if f.concept]
        why_not = WhyNot(
            asked=text,
            status="ranked",
            disease=other,
            first=other,
            rank=3,
            candidates=9,
            shortlist_rank=2,
            probability=0.1,
            score_gap=1.0,
            comparisons=(Comparison(finding=text, presence="present", weight=-1.0, weight_for_first=1.0),),
            suggestions=(text,),
        )
        about = Informative(finding=other, kind="sign", gain=0.2, chance=0.5, raises=other, frequency={text: 0.5})
        revisions = [
            Revision(said={c: "absent"}, ranking=ranking(other, report, 0.1 * n)) for n, c in enumerate(own, 1)
        ]
        if len(own) > 1:
            revisions.append(Revision(said=dict.fromkeys(own[:2], "absent"), ranking=ranking(other, report, 0.55)))
        answers = Answers(
            facts=facts,
            revisions=tuple(revisions),
            looked_for=(
                LookedFor(about=about, present=ranking(other, report, 0.7), absent=ranking(other, report, 0.2)),
            ),
            why_nots=(why_not,),
            warnings=(text,),
        )
        working = Working(
            own=(Own(asked=text, rank=1, disease=None, why_not=why_not),), only_ours=report.diagnoses, parts_at=1
        )
        boxed = tuple(f for f in report.findings if f.box is not None)
        maps, outlines = {text: np.eye(16, dtype=np.float32)}, {text: np.eye(16, dtype=np.float32)}
        shown = picture(film, boxed, maps, outlines, [text])
        return HtmlReporter(pictures=[shown], answers=answers, working=working, note=f"{text} {NOTE}")

    return make
