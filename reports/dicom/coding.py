"""Concepts of a report as DICOM codes (PS3.16 chapter 8): SNOMED CT where there is one, else in whydx's own scheme,
which a document declares (0008,0110). The codes that other formats share are in ``ontologies.coding``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ontologies import coding
from ontologies.coding import Named
from ontologies.concept import Concept
from reports.plain import printable
from vision.finding import LABEL_CURIES, Finding, in_words

if TYPE_CHECKING:
    from highdicom.coding_schemes import CodingSchemeIdentificationItem
    from highdicom.sr import CodedConcept

_LONGEST_MEANING = 64  # the VR LO
_CUT = "…"
MADE_WITH: Named = ("111002", "DCM", "Algorithm Parameters")
COMMENT: Named = ("121106", "DCM", "Comment")
RECOMMENDATION: Named = ("121075", "DCM", "Recommendation")
EVALUATIONS: Named = ("C0034375", "UMLS", "Qualitative Evaluations")
IMAGING: Named = ("363679005", "SCT", "Imaging procedure")  # CID 100 has no chest radiograph


def coded(name: Named) -> CodedConcept:
    """A code as highdicom wants it, a new object each time. Code values are of ASCII, as those that look like a URL
    must be (PS3.5, the VR UR)."""
    from highdicom.sr import CodedConcept

    value, scheme, meaning = name
    return CodedConcept(value.encode("ascii", "replace").decode(), scheme, meaning)


def own_scheme() -> CodingSchemeIdentificationItem:
    """What a document says of whydx's scheme."""
    from highdicom.coding_schemes import CodingSchemeIdentificationItem

    return CodingSchemeIdentificationItem(
        designator=coding.SCHEME,
        name="whydx: CURIEs of merged concepts, and its own terms",
        responsible_organization="whydx",
    )


def of_concept(concept: Concept) -> Named:
    """The concept's SNOMED CT code, else its CURIE in whydx's own scheme."""
    meaning = one_line(concept.name) or one_line(concept.curie)
    if code := coding.snomed(concept.code("SNOMEDCT")):
        return (code, "SCT", meaning)
    return (one_line(concept.curie), coding.SCHEME, meaning)


def of_finding(finding: Finding) -> Named:
    """The code of a finding's concept; of a finding without one, that of its label."""
    meaning = one_line(in_words(finding.label)) or "Finding"
    if finding.concept:
        value, scheme, name = of_concept(finding.concept)
        return (value, scheme, meaning if finding.origin == "image" else name)
    return (one_line(LABEL_CURIES.get(finding.label, finding.label)) or "finding", coding.SCHEME, meaning)


def site_of(finding: Finding) -> Named | None:
    """The organ that a finding of the image is in; None for what a note or a user states, which may be anywhere."""
    return coding.site_of(finding.label) if finding.origin == "image" else None


def one_line(text: str) -> str:
    """``text`` as a value of the VR LO can hold it (PS3.5 6.2): one line without the backslash, which would split it in
    two, of at most 64 characters; bytes here, since readers count those."""
    line = " ".join(printable(text.replace("\\", "/")).split())
    data = line.encode("utf-8")
    if len(data) <= _LONGEST_MEANING:
        return line
    return data[: _LONGEST_MEANING - len(_CUT.encode("utf-8"))].decode("utf-8", errors="ignore").rstrip() + _CUT
