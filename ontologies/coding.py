"""Codes that several formats share, so that they cannot disagree: (code, scheme, meaning) by DICOM's designators.

SCT is SNOMED CT, DCM the DICOM Controlled Terminology (PS3.16 Annex D), UCUM units. Presence is CID 240, laterality
CID 244 with SNOMED CT's own "Midline", which that group lacks.
"""

from __future__ import annotations

Named = tuple[str, str, str]

PRESENCE: Named = ("705057003", "SCT", "Presence")
PRESENCES: dict[str, Named] = {
    "present": ("52101004", "SCT", "Present"),
    "absent": ("272519000", "SCT", "Absent"),  # SNOMED CT's own name of it is "Absence findings"
    "uncertain": ("373068000", "SCT", "Undetermined"),
    "not assessed": ("373121007", "SCT", "Not Evaluated"),
}
LATERALITY: Named = ("272741003", "SCT", "Laterality")
SIDES: dict[str, Named] = {
    "left": ("7771000", "SCT", "Left"),
    "right": ("24028007", "SCT", "Right"),
    "bilateral": ("51440002", "SCT", "Right and left"),
    "midline": ("399488007", "SCT", "Midline"),
}
LUNG: Named = ("39607008", "SCT", "Lung")
PLEURA: Named = ("3120008", "SCT", "Pleura")
HEART: Named = ("80891009", "SCT", "Heart")
DIAPHRAGM: Named = ("5798000", "SCT", "Diaphragm")
CHEST: Named = ("816094009", "SCT", "Chest")
_SITES: dict[str, Named] = {
    **dict.fromkeys(
        (
            "Atelectasis",
            "Consolidation",
            "Edema",
            "Emphysema",
            "Fibrosis",
            "Infiltration",
            "Mass",
            "Nodule",
            "Pneumonia",
        ),
        LUNG,
    ),
    **dict.fromkeys(("Effusion", "Pleural_Thickening", "Pneumothorax"), PLEURA),
    "Cardiomegaly": HEART,
    "Hernia": DIAPHRAGM,
}
ANATOMY: Named = ("91723000", "SCT", "Anatomical Structure")  # CID 7150, as is the next
ABNORMAL: Named = ("49755003", "SCT", "Morphologically Abnormal Structure")
ORGANS: dict[str, tuple[Named, str | None]] = {  # of vision.anatomy, each with its side
    "right_lung": (LUNG, "right"),
    "left_lung": (LUNG, "left"),
    "heart": (HEART, None),
}
CLINICAL_FINDING: Named = ("404684003", "SCT", "Clinical finding")
DIAGNOSIS: Named = ("439401001", "SCT", "Diagnosis")
YES: Named = ("373066001", "SCT", "Yes")
NO: Named = ("373067005", "SCT", "No")
PERCENT: Named = ("%", "UCUM", "Percent")
PROBABILITY: Named = ("122157", "DCM", "Probability")
ARTIFICIAL_INTELLIGENCE: Named = ("123110", "DCM", "Artificial Intelligence")  # CID 7162

# What no public scheme says, or not as exactly. PS3.16 8.2: designators that begin with 99 are private.
SCHEME = "99WHYDX"
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
BOX: Named = ("box", SCHEME, "Box in pixels: left, top, width, height")


def site_of(label: str) -> Named:
    """The organ that a finding of the image is in, by its label; the chest for any label but the 14."""
    return _SITES.get(label, CHEST)


def snomed(code: str | None) -> str | None:
    """``code`` when it is formed as a SNOMED CT identifier (at most 18 digits), else None."""
    return code if code and code.isascii() and code.isdecimal() and len(code) <= 18 else None
