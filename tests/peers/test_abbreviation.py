"""Abbreviation definitions beside scispaCy's, both after Schwartz and Hearst: the same pairs on the same texts."""

from __future__ import annotations

import pytest

from ontologies.linking.abbreviation import definitions

TEXTS = (
    "Chronic obstructive pulmonary disease (COPD) and congestive heart failure (CHF). COPD was severe.",
    "Acute respiratory distress syndrome (ARDS) developed.",
    "Idiopathic pulmonary fibrosis (IPF) with a usual interstitial pneumonia (UIP) pattern.",
    "A pulmonary embolism (PE) was seen on computed tomography (CT).",
    "She had tuberculosis (TB) and human immunodeficiency virus (HIV) infection.",
    "Bilateral ground-glass opacity (GGO), left ventricular ejection fraction (LVEF) 35 %.",
    "Non-small cell lung cancer (NSCLC) of the right upper lobe (RUL).",
    "The patient (a man) had a cough (dry) for two weeks.",
)


@pytest.mark.peer
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("text", TEXTS)
def test_same_definitions_as_scispacy(text: str) -> None:
    import spacy
    from scispacy import abbreviation

    assert abbreviation.AbbreviationDetector is not None  # importing it registers the component
    pipeline = spacy.blank("en")
    pipeline.add_pipe("abbreviation_detector")
    theirs = {(str(short), str(short._.long_form)) for short in pipeline(text)._.abbreviations}
    assert {(short, text[start:end]) for short, start, end in definitions(text)} == theirs
