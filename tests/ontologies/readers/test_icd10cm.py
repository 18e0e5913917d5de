from __future__ import annotations

from pathlib import Path

import pytest

from errors import InputError
from ontologies.concept import Concept, Relation, Term
from ontologies.readers import icd10cm

SAMPLE = """<?xml version="1.0" encoding="utf-8"?>
<ICD10CM.tabular>
  <version>2026</version>
  <chapter>
    <name>10</name>
    <desc>Diseases of the respiratory system (J00-J99)</desc>
    <sectionIndex><sectionRef first="J09" last="J18" id="J09-J18">Influenza and pneumonia</sectionRef></sectionIndex>
    <section id="J09-J18">
      <desc>Influenza and pneumonia (J09-J18)</desc>
      <diag>
        <name>J18</name>
        <desc>Pneumonia, unspecified organism</desc>
        <excludes1><note>abscess of lung with pneumonia (J85.1)</note></excludes1>
        <diag>
          <name>J18.0</name>
          <desc>Bronchopneumonia, unspecified organism</desc>
          <inclusionTerm><note>Lobular  pneumonia</note><note>Patchy pneumonia</note></inclusionTerm>
        </diag>
        <diag><name>J18.9</name><desc>Pneumonia, unspecified organism</desc></diag>
      </diag>
    </section>
    <section id="R09">
      <desc>Other symptoms (R09)</desc>
      <diag><name>R09</name><desc>Other symptoms</desc></diag>
    </section>
    <section id="S20-S29">
      <desc>Injuries to the thorax (S20-S29)</desc>
      <diag><name>S27</name><desc>Injury of thorax</desc>
        <sevenChrDef><extension char="A">initial</extension></sevenChrDef>
      </diag>
      <diag><name>W00</name><desc>Fall due to ice</desc></diag>
    </section>
  </chapter>
</ICD10CM.tabular>
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "tabular.xml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_tabular_list(tmp_path: Path) -> None:
    found = list(icd10cm.read(write(tmp_path, SAMPLE)))
    assert [(s.curie, s.name, s.semantic_types) for s in found if isinstance(s, Concept)] == [
        ("ICD10CM:J09-J18", "Influenza and pneumonia", ("Disease or Syndrome",)),
        ("ICD10CM:J18", "Pneumonia, unspecified organism", ("Disease or Syndrome",)),
        ("ICD10CM:J18.0", "Bronchopneumonia, unspecified organism", ("Disease or Syndrome",)),
        ("ICD10CM:J18.9", "Pneumonia, unspecified organism", ("Disease or Syndrome",)),
        ("ICD10CM:R09", "Other symptoms", ("Finding",)),
        ("ICD10CM:S20-S29", "Injuries to the thorax", ("Injury or Poisoning",)),
        ("ICD10CM:S27", "Injury of thorax", ("Injury or Poisoning",)),
        ("ICD10CM:W00", "Fall due to ice", ()),
    ]
    assert [(s.subject, s.predicate, s.object) for s in found if isinstance(s, Relation)] == [
        ("ICD10CM:J18", "is_a", "ICD10CM:J09-J18"),
        ("ICD10CM:J18.0", "is_a", "ICD10CM:J18"),
        ("ICD10CM:J18.9", "is_a", "ICD10CM:J18"),
        ("ICD10CM:S27", "is_a", "ICD10CM:S20-S29"),
        ("ICD10CM:W00", "is_a", "ICD10CM:S20-S29"),
    ]
    narrow = [(s.curie, s.text) for s in found if isinstance(s, Term) and s.kind == "narrow"]
    assert narrow == [("ICD10CM:J18.0", "Lobular pneumonia"), ("ICD10CM:J18.0", "Patchy pneumonia")]
    assert {s.source for s in found if not isinstance(s, Concept)} == {"ICD-10-CM 2026"}
    assert not any("abscess" in s.text for s in found if isinstance(s, Term)), "exclusions are not names"


def test_malformed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"tabular.xml, line \d+: not valid XML"):
        list(icd10cm.read(write(tmp_path, SAMPLE[:-30])))
    with pytest.raises(InputError, match="not a tabular list"):
        list(icd10cm.read(write(tmp_path, "<html><body/></html>")))
    with pytest.raises(InputError, match="not valid XML"):
        list(icd10cm.read(write(tmp_path, "")))
    with pytest.raises(InputError, match="no such"):
        list(icd10cm.read(tmp_path / "none.xml"))


def test_entities_are_not_expanded(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    text = SAMPLE.replace(
        "<ICD10CM.tabular>", f'<!DOCTYPE x [<!ENTITY e SYSTEM "{tmp_path / "secret"}">]>\n<ICD10CM.tabular>'
    ).replace("Patchy pneumonia", "Patchy &e; pneumonia")
    try:
        found = list(icd10cm.read(write(tmp_path, text)))
    except InputError:
        return
    assert "secret" not in repr(found)
