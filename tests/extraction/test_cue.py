"""What sentences are said to say of a disease and a finding."""

from __future__ import annotations

import pytest

from extraction.cue import hedged, report, said, single

# The disease in braces, the finding in brackets.
SENTENCES = [
    ("{Sarcoidosis} presents with [cough] and fatigue.", "shows"),
    ("Patients with {lung cancer} had [hemoptysis].", "shows"),
    ("[Hemoptysis] due to {tuberculosis} was frequent.", "shows"),
    ("[Clubbing] is a common sign of {asbestosis}.", "shows"),
    ("[Uveitis] in patients with {sarcoidosis}.", "shows"),
    ("The CT showed a [halo sign] suggestive of {aspergillosis}.", "shows"),
    ("{Pneumonia} complicated by [empyema].", "shows"),
    ("[Smoking] is a risk factor for {lung cancer}.", "before"),
    ("[Aspiration] may lead to {pneumonia}.", "before"),
    ("{Pulmonary hypertension} secondary to [sleep apnea].", "before"),
    ("[Pleural effusion] is not seen in {sarcoidosis}.", "excluded"),
    ("[Eosinophilia] does not occur in {silicosis}.", "excluded"),
    ("{Sarcoidosis} is not associated with [clubbing].", "excluded"),
    ("There was no [fever] in patients with {sarcoidosis}.", "excluded"),
    ("{Asthma} does not cause [clubbing].", "excluded"),
    ("{Sarcoidosis} mimicking [lymphoma].", "apart"),
    ("{Asthma}, [bronchiectasis] and others were studied.", "apart"),
    ("The differential diagnosis of {sarcoidosis} versus [lymphoma].", "apart"),
    ("{Asthma} was frequent; [cough] was rare.", "nothing"),
    ("Changes simulating {myocardial infarction} caused by [hyperkalemia].", "apart"),
    ("[Aneurysm] due to bacteria after treatment for {bladder cancer}.", "apart"),
    ("Patients with {asthma} had higher values than those with [pneumonia].", "apart"),
    ("Tumors were {breast cancer} (80 %), followed by [lung cancer].", "apart"),
    ("{Heart failure} was followed by [shock].", "shows"),
]


@pytest.mark.parametrize(("marked", "expected"), SENTENCES)
def test_a_sentence_says(marked: str, expected: str) -> None:
    plain = marked.translate(str.maketrans("", "", "{}[]"))
    disease = _place(plain, marked, "{", "}")
    finding = _place(plain, marked, "[", "]")
    assert said(plain, disease, finding) == expected


def _place(plain: str, marked: str, opening: str, closing: str) -> tuple[int, int]:
    words = marked[marked.index(opening) + 1 : marked.index(closing)]
    return plain.index(words), plain.index(words) + len(words)


def test_a_treatment_needs_a_word_that_says_so() -> None:
    treated = "Pneumonia was treated with ceftriaxone."
    assert said(treated, (0, 9), (27, 38), treated=True) == "treats"
    assert said("Pneumonia and ceftriaxone.", (0, 9), (14, 25), treated=True) == "nothing"


def test_two_far_from_each_other_say_nothing() -> None:
    text = "Asthma presents with " + "many other things and " * 12 + "cough"
    assert said(text, (0, 6), (len(text) - 5, len(text))) == "nothing"


def test_words_of_doubt() -> None:
    assert hedged("It may be associated with asthma")
    assert not hedged("It is associated with asthma")


@pytest.mark.parametrize(
    ("sentence", "of_report", "expected"),
    [
        ("A 45-year-old man with sarcoidosis had hiccups.", False, True),
        ("We report a case of sarcoidosis with hiccups.", False, True),
        ("Sarcoidosis presenting as hiccups.", True, True),
        ("Sarcoidosis presenting as hiccups.", False, False),
        ("Hiccups are a common sign of sarcoidosis.", True, False),
        ("The majority of patients with sarcoidosis had hiccups.", False, False),
    ],
)
def test_one_patient_is_told_from_patients(sentence: str, of_report: bool, expected: bool) -> None:
    assert single(sentence, of_report) is expected


def test_a_report_of_one_patient() -> None:
    assert report("Sarcoidosis. We describe a woman with hiccups.")
    assert report("Hiccups in a patient with sarcoidosis.")
    assert not report("Signs of sarcoidosis. Of 40 patients, 12 had hiccups.")
