"""Who the patient is never enters a collection: what is left out, what is hashed, what is taken out of a report.

An id is an HMAC-SHA256 under the collection's own salt, so it is the same at each update and says nothing without the
salt, which stays on the machine. Names in the free text of a report are taken out where a column or header of the same
case gives them; a name that only the report holds is not found.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable

REMOVED = "[removed]"
_SHORTEST = 3  # letters of what is taken out of a text: "Li" is also in "Li-Fraumeni"
_HASH = 16  # hex digits: a million ids collide with a chance of 1 in 37 million
_DATE = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)")

# Columns, as `column_name` writes them, that say who somebody is.
_NAMES = """
patient pid subject_id study_id exam_id case_number name first_name firstname given_name last_name lastname family_name
middle_name full_name birthday street city zip zip_code postcode postal_code mobile fax mail e_mail account_number
medical_record_number social_security_number health_plan_number national_id operator operators_name radiologist
radiologist_name reader_name contact contact_person next_of_kin
"""
# A word that says so wherever it stands in a column's name.
_WORDS = """
birth birthdate dob patientid patientname surname maiden phone telephone email address ssn mrn passport insurance
physician accession uid
"""
_OF_THE_PATIENT = frozenset({"id", "name", "names", "number", "no", "nr", "ids", "identifier"})
_NAMING, _NAMING_WORDS = frozenset(_NAMES.split()), frozenset(_WORDS.split())


def column_name(header: str) -> str:
    """A header as one word of small letters, digits and underscores: "Patient Name" and "PatientName" are
    "patient_name"."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", header.strip())
    return re.sub(r"[^\w]+", "_", apart.lower()).strip("_")


def is_naming(column: str) -> bool:
    """Whether a column, by its `column_name`, says who the patient, or a physician, is."""
    words = set(column.split("_"))
    return column in _NAMING or bool(words & _NAMING_WORDS) or ("patient" in words and bool(words & _OF_THE_PATIENT))


def hashed(value: str, salt: bytes) -> str:
    """The 16 hex digits that stand for an identifier."""
    return hmac.new(salt, value.strip().encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:_HASH]


def without(text: str, identifiers: Iterable[str]) -> str:
    """``text`` with each identifier (a name, its parts, a number, a date in its usual spellings) replaced by
    "[removed]", as whole words and without regard to case."""
    words = sorted({word for value in identifiers for word in _spellings(value)}, key=lambda w: (-len(w), w))
    if not words or not text:
        return text
    pattern = r"(?<!\w)(?:" + "|".join(map(re.escape, words)) + r")(?!\w)"
    return re.sub(pattern, REMOVED, text, flags=re.IGNORECASE)


def _spellings(value: str) -> Iterable[str]:
    value = value.strip()
    date = _DATE.match(value)
    if date:
        year, month, day = date.groups()
        yield from (f"{year}-{month}-{day}", f"{year}{month}{day}")
        for first, second in ((day, month), (month, day)):
            for mark in "./-":
                yield f"{first}{mark}{second}{mark}{year}"
                yield f"{int(first)}{mark}{int(second)}{mark}{year}"
        return
    for part in (value, *re.split(r"[\^,;\s]+", value)):
        if len(part) >= _SHORTEST:
            yield part
