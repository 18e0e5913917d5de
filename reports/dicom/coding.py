"""Concepts of a report as DICOM codes (PS3.16 chapter 8): SNOMED CT where there is one, else whydx's own scheme."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ontologies.concept import Concept
from reports.plain import printable
from vision.finding import LABEL_CURIES, Finding, in_words

if TYPE_CHECKING:
    from highdicom.sr import CodedConcept

# PS3.16 8.2: designators that begin with 99 are private; the document identifies what they stand for (0008,0110).
SCHEME = "99WHYDX"
_LONGEST_MEANING = 64  # the VR LO
_CUT = "…"
Named = tuple[str, str, str]  # code, scheme, meaning

PRESENCE: Named = ("705057003", "SCT", "Presence")
PRESENCES: dict[str, Named] = {  # CID 240 "Undetermined Present Absent"; the last is of PS3.16 Annex D
    "present": ("52101004", "SCT", "Present"),
    "absent": ("272519000", "SCT", "Absent"),
    "uncertain": ("373068000", "SCT", "Undetermined"),
    "not assessed": ("373121007", "SCT", "Not Evaluated"),
}
LATERALITY: Named = ("272741003", "SCT", "Laterality")
SIDES: dict[str, Named] = {  # CID 244 "Laterality"
    "left": ("7771000", "SCT", "Left"),
    "right": ("24028007", "SCT", "Right"),
    "bilateral": ("51440002", "SCT", "Right and left"),
    "midline": ("261129000", "SCT", "Midline"),
}
_LUNG: Named = ("39607008", "SCT", "Lung")
_PLEURA: Named = ("3120008", "SCT", "Pleura")
_CHEST: Named = ("816094009", "SCT", "Chest")
_SITES: dict[str, Named] = {
    **dict.fromkeys(("Effusion", "Pleural_Thickening", "Pneumothorax"), _PLEURA),
    "Cardiomegaly": ("80891009", "SCT", "Heart"),
    "Hernia": ("5798000", "SCT", "Diaphragm"),
}
CLINICAL_FINDING: Named = ("404684003", "SCT", "Clinical finding")
DIAGNOSIS: Named = ("439401001", "SCT", "Diagnosis")
YES: Named = ("373066001", "SCT", "Yes")
NO: Named = ("373067005", "SCT", "No")
PERCENT: Named = ("%", "UCUM", "Percent")
PROBABILITY: Named = ("122157", "DCM", "Probability")
MADE_WITH: Named = ("111002", "DCM", "Algorithm Parameters")
COMMENT: Named = ("121106", "DCM", "Comment")
RECOMMENDATION: Named = ("121075", "DCM", "Recommendation")
EVALUATIONS: Named = ("C0034375", "UMLS", "Qualitative Evaluations")
IMAGING: Named = ("363679005", "SCT", "Imaging procedure")  # CID 100 has no chest radiograph
# What no public scheme says, or not as exactly.
CUT_OFF: Named = ("cut-off", SCHEME, "Cut-off of the probability")
EVIDENCE: Named = ("evidence", SCHEME, "Evidence and what it adds to the score")
IN_SET: Named = ("in-set-90", SCHEME, "Cannot be ruled out at 90 % coverage")
NONE_OF_THESE: Named = ("none-of-these", SCHEME, "None of these")
ORIGIN: Named = ("origin", SCHEME, "Origin")
ORIGINS: dict[str, Named] = {
    "image": ("image", SCHEME, "Image"),
    "note": ("note", SCHEME, "Note"),
    "user": ("user", SCHEME, "User"),
}
RANK: Named = ("rank", SCHEME, "Rank")
WITH_KINDS: Named = ("with-kinds", SCHEME, "Probability with its kinds")


def coded(name: Named) -> CodedConcept:
    """A code of the lists above as highdicom wants it, a new object each time."""
    from highdicom.sr import CodedConcept

    value, scheme, meaning = name
    return CodedConcept(value, scheme, meaning)


def of_concept(concept: Concept) -> Named:
    """The concept's SNOMED CT code, else its CURIE in whydx's own scheme."""
    snomed = concept.code("SNOMEDCT") or ""
    meaning = one_line(concept.name) or one_line(concept.curie)
    if snomed.isascii() and snomed.isdecimal() and len(snomed) <= 18:
        return (snomed, "SCT", meaning)
    return (one_line(concept.curie), SCHEME, meaning)


def of_finding(finding: Finding) -> Named:
    """The code of a finding's concept; of a finding without one, that of its label."""
    meaning = one_line(in_words(finding.label)) or "Finding"
    if finding.concept:
        value, scheme, name = of_concept(finding.concept)
        return (value, scheme, meaning if finding.origin == "image" else name)
    return (one_line(LABEL_CURIES.get(finding.label, finding.label)) or "finding", SCHEME, meaning)


def site_of(finding: Finding) -> Named | None:
    """The organ that a finding of the image is in; None for what a note or a user states, which may be anywhere."""
    if finding.origin != "image":
        return None
    return _SITES.get(finding.label, _LUNG if finding.label in LABEL_CURIES else _CHEST)


def one_line(text: str) -> str:
    """``text`` as a value of the VR LO can hold it (PS3.5 6.2): one line without the backslash, which would split it in
    two, of at most 64 characters; bytes here, since readers count those."""
    line = " ".join(printable(text.replace("\\", "/")).split())
    data = line.encode("utf-8")
    if len(data) <= _LONGEST_MEANING:
        return line
    return data[: _LONGEST_MEANING - len(_CUT.encode("utf-8"))].decode("utf-8", errors="ignore").rstrip() + _CUT
