"""Code systems by the many prefixes that sources give them."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from urllib.parse import unquote

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
# Where the code stands in the IRIs of a code system: after this, to the end.
_IRIS = {
    "http://snomed.info/id/": "SNOMEDCT",
    "http://www.orpha.net/ORDO/Orphanet_": "ORPHA",
    "http://id.nlm.nih.gov/mesh/": "MESH",
    "http://omim.org/entry/": "OMIM",
    "http://www.omim.org/entry/": "OMIM",
    "http://www.ebi.ac.uk/efo/EFO_": "EFO",
    "http://radlex.org/RID/": "RADLEX",
    "http://www.radlex.org/RID/": "RADLEX",
    "http://linkedlifedata.com/resource/umls/id/": "UMLS",
    "http://uts.nlm.nih.gov/uts/umls/concept/": "UMLS",
    "http://hl7.org/fhir/sid/icd-10-cm/": "ICD10CM",
    "http://hl7.org/fhir/sid/icd-10/": "ICD10",
    "http://id.who.int/icd/entity/": "ICD11",
    "http://loinc.org/rdf/": "LOINC",
    "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl#": "NCIT",
}
_OBO = re.compile(r"http://purl\.obolibrary\.org/obo/([A-Za-z][A-Za-z0-9]*)_([^/#]+)")
_PREFIXED = re.compile(
    r"(?:urn:curie:|http://identifiers\.org/|http://bioregistry\.io/|http://purl\.bioontology\.org/ontology/)"
    r"([A-Za-z][\w.-]*)[:/](.+)"
)
# An id as people and programs write it, with whatever stands after it.
_WRITTEN = re.compile(
    r"[\s<\[(\"']*(?:(?P<iri>https?://[^\s>\])]+)|(?P<prefix>[A-Za-z][\w.-]*):\s?(?P<local>[\w.-]+)|"
    r"(?P<prefix2>[A-Za-z][A-Za-z0-9.-]*)_(?P<local2>[\w.-]+))"
)
_NAMESPACE = re.compile(r"(.*[/#:])([^/#:]+)[/#:]*")
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


@lru_cache(maxsize=1 << 17)
def curie_of_iri(iri: str) -> str:
    """The CURIE of an absolute IRI, http and https alike.

    IRIs of known code systems, of OBO ontologies, identifiers.org, Bioregistry and BioPortal, and ``urn:curie:…`` give
    the code's own CURIE. Any other gives a prefix made of its namespace (up to the last "/", "#" or ":"): the last word
    of it and six hexadecimal digits of its sha256, so that it is the same in every file and differs between namespaces.
    """
    plain = "http://" + iri.removeprefix("https://") if iri.startswith("https://") else iri
    for namespace, system in _IRIS.items():
        if plain.startswith(namespace) and (code := plain[len(namespace) :]) and "/" not in code:
            return f"{system}:{_code(code)}"
    if (named := _OBO.fullmatch(plain) or _PREFIXED.fullmatch(plain)) is not None:
        curie = f"{named[1]}:{_code(named[2])}"
        return canonical_curie(curie) or curie
    split = _NAMESPACE.fullmatch(plain)
    namespace, local = (split[1], split[2]) if split else ("", plain)
    words = re.findall(r"\w[\w.-]*", namespace)
    digest = hashlib.sha256(namespace.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    return f"{words[-1] if words else 'iri'}-{digest}:{_code(local)}"


def written_curie(text: str) -> str | None:
    """The CURIE that ``text`` starts with in any usual spelling ("hp:0002202", "HP_0002202", an IRI, "[HP:0002202]",
    "HP:0002202 Pleural effusion"); None when it starts with none of a known code system."""
    found = _WRITTEN.match(text)
    if found is None:
        return None
    if found["iri"]:
        return canonical_curie(curie_of_iri(found["iri"].rstrip("/.,;")))
    prefix, local = found["prefix"] or found["prefix2"], found["local"] or found["local2"]
    return canonical_curie(f"{prefix}:{local.rstrip('.')}")


def _code(text: str) -> str:
    """The code as it is meant, without percent signs; white space, which a CURIE cannot have, becomes "_"."""
    return _SPACE.sub("_", unquote(text))
