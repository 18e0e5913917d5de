"""Code systems by the many prefixes that sources give them."""

from __future__ import annotations

import re
from functools import lru_cache

_SYSTEMS = {
    "HP": ("hp", "hpo"),
    "UMLS": ("umls", "umls_cui", "cui"),
    "SNOMEDCT": ("snomedct", "snomedct_us", "snomed_ct", "snomed", "sctid", "sct", "snomed-ct"),
    "ICD10CM": ("icd10cm", "icd-10-cm"),
    "ICD10": ("icd10", "icd-10"),
    "ICD9CM": ("icd9cm", "icd-9-cm"),
    "ICD11": ("icd11", "icd-11"),
    "OMIM": ("omim", "mim"),
    "ORPHA": ("orpha", "orphanet", "orphanet.ordo", "ordo"),
    "DECIPHER": ("decipher",),
    "MONDO": ("mondo",),
    "DOID": ("doid",),
    "MESH": ("mesh", "msh"),
    "NCIT": ("ncit", "nci"),
    "MEDDRA": ("meddra",),
    "EFO": ("efo",),
    "GARD": ("gard",),
    "RADLEX": ("radlex",),
    "LOINC": ("loinc",),
    "UBERON": ("uberon",),
    "CHEST": ("chest",),
}
_BY_SPELLING = {spelling: system for system, spellings in _SYSTEMS.items() for spelling in spellings}
_SPACE = re.compile(r"\s")
_DATED_SNOMED = re.compile(r"snomedct_us_\d{4}_\d{2}_\d{2}")


def system_of(prefix: str) -> str | None:
    """The code system that ``prefix`` means, in any capitalisation ("SNOMEDCT_US_2025_09_01" → "SNOMEDCT"), or None."""
    key = prefix.lower()
    return "SNOMEDCT" if _DATED_SNOMED.fullmatch(key) else _BY_SPELLING.get(key)


@lru_cache(maxsize=1 << 17)
def canonical_curie(curie: str) -> str | None:
    """``curie`` with the prefix this project uses ("umls:C0032285" → "UMLS:C0032285"); None when the prefix is unknown.

    A prefix repeated in the local part ("MONDO:MONDO:0005148", "hp:HP:0000001") is dropped. None also for what is no
    CURIE
    at all (no local part, or white space in it).
    """
    prefix, _, local = curie.strip().partition(":")
    system = system_of(prefix)
    if system is None or not local or _SPACE.search(local):
        return None
    again, colon, rest = local.partition(":")
    if colon and system_of(again) == system:
        local = rest
    return f"{system}:{local}" if local else None
