"""Values as charts, tables and telegrams write them, in blood and in other specimens, of adults and of children."""

from __future__ import annotations

import pytest

from ontologies.linking.context.measurement import holds_for, measured
from ontologies.linking.context.noted import noted
from ontologies.linking.values.quantities import load, plain
from ontologies.linking.values.sample import at, samples


def said(text: str) -> dict[str, bool]:
    return {m.finding: m.present for m in measured(text)}


LACTATE, EXUDATE = "increased circulating lactate concentration", "exudative pleural effusion"


@pytest.mark.parametrize(
    ("text", "finding", "present"),
    [
        # A range or a limit as tables print it; beside a pulse it is what was seen.
        ("Hb\t98 g/L\t(130-175)", "anemia", True),
        ("Hb 125 g/L (130-175)", "anemia", True),
        ("Potassium | 6.1 | mmol/L | 3.5-5.1", "hyperkalemia", True),
        ("CRP | 187 mg/L | <5", "elevated C-reactive protein", True),
        ("Troponin T 0.4 (<0.03)", "elevated troponin", True),
        ("HR 120 (110-130)", "tachycardia", True),
        ("AST: 38 U/L (ref 10-40)", "elevated hepatic transaminase", False),
        # The unit before the value, the flag behind it, no unit at all.
        ("WBC (×10^9/L): 2.1", "leukopenia", True),
        ("Hemoglobin, g/dL: 8.1", "anemia", True),
        ("WBC 10.6 ↑", "leukocytosis", True),
        ("lactate 4.6", LACTATE, True),
        ("urea 18.9", "increased blood urea nitrogen", True),
        ("BUN 14", "increased blood urea nitrogen", False),
        ("CRP <5", "elevated C-reactive protein", False),
        ("pH 7.29 / pCO2 62", "acidosis", True),
        ("pCO2 9.1 kPa", "hypercapnia", True),
        ("PaO2 8.9", "hypoxemia", True),
        ("pH-7.25", "acidosis", True),
        ("HR110", "tachycardia", True),
        ("BE −8", "metabolic acidosis", True),
        # Trends count by where they end.
        ("CRP 310→142", "elevated C-reactive protein", True),
        ("CRP down from 280 to 4 mg/L", "elevated C-reactive protein", False),
        ("platelets fell from 210 to 43", "thrombocytopenia", True),
        ("EF was estimated at 20-25%", "reduced ejection fraction", True),
        # Values in the order of their names.
        ("CRP and procalcitonin were 39.2 mg/dL and 0.1 ng/mL, respectively", "elevated C-reactive protein", True),
        ("CRP and procalcitonin were 39.2 mg/dL and 0.1 ng/mL, respectively", "elevated procalcitonin", False),
        ("CK and LDH were 519 U/L (normal range, 30–170 U/L) and 190 U/L", "elevated lactate dehydrogenase", False),
        ("temperature and pulse were 38.5 °C and 72/min", "tachycardia", False),
        ("serum creatinine level at day 3 was 1000 μmol/L", "elevated serum creatinine", True),
        # Shares of what was to be expected, multiples of the limit, titres.
        ("FEV1 1.21 L (42% pred)", "reduced forced expiratory volume in one second", True),
        ("Peak flow 180 (best 450)", "reduced peak expiratory flow", True),
        ("FEV1/FVC 0.52", "airflow obstruction", True),
        ("LDH 1.8 times the upper limit of normal", "elevated lactate dehydrogenase", True),
        ("ALT twice normal", "elevated hepatic transaminase", True),
        ("ANA 1:640 speckled", "positive antinuclear antibody", True),
        ("ANA 1:40", "positive antinuclear antibody", False),
        ("HbA1c 86 mmol/mol", "elevated hemoglobin A1c", True),
        # Words.
        ("ANCA, ANA and anti-GBM all negative", "positive antinuclear antibody", False),
        ("HIV serology non-reactive", "HIV infection", False),
        ("PTH suppressed", "elevated PTH", False),
        ("94% on air", "hypoxemia", False),
        ("sats 82% on 4 L", "hypoxemia", True),
        # What was measured in another specimen.
        ("Pleural fluid:\nProtein 48 g/L\nGlucose 0.9 mmol/L", EXUDATE, True),
        ("glucose 1.4 mmol/L, protein 52 g/L in the pleural aspirate", "low glucose pleural fluid", True),
        ("CSF: protein 1.9 g/L, glucose 1.2 mmol/L", "hypoglycorrhachia", True),
        ("CSF showed 230 white cells/mm3", "CSF pleocytosis", True),
        ("Urine dip: blood +++, glucose neg", "hematuria", True),
        ("Urine dip: blood +++, glucose neg", "glycosuria", False),
        ("urinalysis showed 1+ occult blood", "hematuria", True),
        ("BAL: 45% lymphocytes, 3% eosinophils", "lymphocytosis in bronchoalveolar lavage", True),
        ("BAL: 45% lymphocytes, 3% eosinophils", "eosinophilia in bronchoalveolar lavage", False),
        # A child's limits.
        ("A 6-month-old boy with HR 140, RR 38", "tachycardia", False),
        ("A 6-month-old boy with HR 140, RR 38", "tachypnea", False),
        ("A 6-month-old boy with HR 190, RR 72", "tachypnea", True),
        ("A 60-year-old man with HR 140, RR 38", "tachycardia", True),
    ],
)
def test_a_layout_is_read(text: str, finding: str, present: bool) -> None:
    assert said(text)[finding] is present


@pytest.mark.parametrize(
    "text",
    [
        "reduced breath sounds",  # no value, and not normal either
        "PR 180 ms",  # an interval, no pulse
        "T12 fracture",
        "SpO2 94% (2 L)",  # what the oxygen does
        "ascitic fluid protein 31 g/L, glucose 0.9 mmol/L",  # not of the blood, and the table has no such row
        "BAL macrophages 80%, platelets",
        "vitamin D supplement",
        "HIV clinic",
        "influenza season",
        "Troponin | |",
        "Ca breast",
        "ALT 30%",
    ],
)
def test_what_only_looks_like_a_value_says_nothing(text: str) -> None:
    assert said(text) == {}


def test_a_value_of_a_specimen_is_none_of_the_blood() -> None:
    assert said("Pleural fluid: glucose 0.9 mmol/L. Blood glucose 6 mmol/L")["hypoglycemia"] is False
    assert said("Pleural fluid glucose 0.9 mmol/L, serum glucose 2.1 mmol/L") == {
        "low glucose pleural fluid": True,
        "hypoglycemia": True,
    }


def test_specimens_have_their_places() -> None:
    text = "CSF: protein 1.9. Na 140"
    (own,) = samples(text)
    assert (text[own.start : own.end], own.kind) == ("CSF: protein 1.9", "csf")
    assert at([own], text.index("Na")) == ""
    assert samples("Na 140, CRP 5") == []


def test_a_denial_before_a_normal_finding_is_not_of_it() -> None:
    told = {n.finding: n.presence for n in noted("no enlarged nodes, pleura normal, nails normal")}
    assert told["Pleural effusion"] == told["Clubbing of fingers"] == "absent"
    (own,) = (n.presence for n in noted("He is no longer pain free") if n.finding == "Pain")
    assert own == "present"


def test_limits_of_an_age_are_used_only_for_what_has_them() -> None:
    assert holds_for("Elevated C-reactive protein", 3.0, told=False)
    assert holds_for("Tachycardia", 3.0, told=True)
    assert not holds_for("Tachycardia", 3.0, told=False)  # read with an adult's limits
    assert not holds_for("Elevated B-type natriuretic peptide", 3.0, told=True)
    assert holds_for("Elevated B-type natriuretic peptide", 30.0, told=False)


def test_every_row_can_be_used() -> None:
    table = load()
    assert len(table.quantities) > 700
    for quantity in {id(q): q for q in table.quantities.values()}.values():
        assert quantity.least <= quantity.most or not quantity.units
        assert quantity.low <= quantity.high
        assert [until for until, *_ in quantity.ages] == sorted(until for until, *_ in quantity.ages)
    assert plain("× 10⁹ / L") == "109/l"
