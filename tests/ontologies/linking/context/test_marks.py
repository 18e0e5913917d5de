"""Signs, boxes and forms."""

from __future__ import annotations

import pytest

from ontologies.linking.context.marks import marked

from .marked import unmark


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("absent", "ROS: -[fever], -chills, +cough"),
        ("present", "ROS: -fever, -chills, +[cough]"),
        ("present", "+ fever, + [cough], - dyspnea"),
        ("absent", "+ fever, + cough, - [dyspnea]"),
        ("present", "(+) [cough] (-) syncope"),
        ("absent", "(+) cough (-) [syncope]"),
        ("absent", "[Fever] (-), cough (+)"),
        ("present", "Fever (-), [cough] (+)"),
        ("absent", "[Fever] -ve; cough +ve"),
        ("present", "Pallor+, [icterus]+, cyanosis-"),
        ("absent", "Pallor+, icterus+, [cyanosis]-, clubbing+"),
        ("absent", "[Fever]: N; Cough: Y"),
        ("present", "Fever: N; [Cough]: Y"),
        ("absent", "[Fever] (Y/N): N   Cough (Y/N): Y"),
        ("absent", "[Asthma]\tNo\nCOPD\tYes"),
        ("absent", "| Dyspnea | Yes |\n| [Wheezing] | No |"),
        ("present", "Symptom | Yes | No\n[Cough] | X |\nFever | | X"),
        ("absent", "Symptom | Yes | No\nCough | X |\n[Fever] | | X"),
        ("absent", "☑ COPD ☐ [asthma]"),
        ("absent", "[Fever]: Yes ☐ No ☑"),
        ("present", "[Fever]? yes  Cough? no"),
        ("absent", "Fever? yes  [Cough]? no"),
        ("absent", "COPD=1, [CKD]=0"),
        ("absent", "[HAEMOPTYSIS]......NO"),
        ("uncertain", "weight loss [fatigue] ±, fever ++"),
        ("uncertain", "Diabetes: Yes\n[Asthma]: Unknown"),
        (None, "- [fever]\n- cough"),  # bullets
        (None, "-[fever]\n-cough"),
        (None, "post-[fever] weakness"),
        (None, "[cough] - productive, for a week"),
        (None, "[Fever]: no response to antibiotics"),
        (None, "[Temperature]: 39"),
    ],
)
def test_a_sign_says(said: str | None, sentence: str) -> None:
    text, ((start, end),) = unmark(sentence)
    assert marked(text, start, end) == said


def test_ticked_boxes_before_and_after() -> None:
    for text, expected in (
        ("[x] Cough [ ] Rash", {"Cough": "present", "Rash": "absent"}),
        ("Cough [x]  Rash [ ]", {"Cough": "present", "Rash": "absent"}),
        ("[ ] Yes [x] No  Cough\n[x] Yes [ ] No  Rash", {"Cough": "absent", "Rash": "present"}),
        ("Cough: ( ) Yes (X) No", {"Cough": "absent"}),
    ):
        for mention, said in expected.items():
            at = text.index(mention)
            assert marked(text, at, at + len(mention)) == said, (text, mention)
