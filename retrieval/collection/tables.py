"""An analyst's cases from a table: CSV, JSON lines or Parquet, a row a case.

Columns are known by their usual names (`ROLES`), or by what the user says; those that name the patient are left out,
and all the others become fields to filter and to count by.
"""

from __future__ import annotations

import csv
import datetime
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from errors import InputError
from indexes.manifest import file_sha256
from retrieval.collection.identity import column_name, hashed, is_naming, without
from retrieval.collection.papers import text_of
from retrieval.collection.record import Record, person

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")
# The part a column plays in a case → its usual names, the likeliest first.
ROLES: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "case_id", "case", "image_id", "sop_instance_uid", "study_id", "study_instance_uid", "exam_id", "uid"),
    "patient": ("patient_id", "patient", "pid", "subject_id", "mrn", "medical_record_number"),
    "image": ("image", "image_path", "path", "file", "filename", "file_name", "dicom", "dicom_path"),
    "report": ("report", "report_text", "text", "note", "narrative"),
    "indication": ("indication", "clinical_history", "clinical_indication"),
    "findings": ("findings",),
    "impression": ("impression", "conclusion"),
    "age": ("age", "patient_age", "age_years"),
    "sex": ("sex", "gender", "patient_sex", "patient_gender"),
    "date": ("date", "study_date", "exam_date", "acquisition_date"),
    "view": ("view", "view_position"),
}
# What a user's column may not be called among the fields, since it means something else there.
_TAKEN = frozenset({"collection", "title", "licence", "finding", "findings", "mesh", *ROLES})
_SEXES = {"f": "F", "female": "F", "w": "F", "woman": "F", "m": "M", "male": "M", "man": "M"}
_LONG_ID = 5  # letters of an id that is taken out of a text, too: "12" also counts and measures
_AGE = re.compile(r"(\d{1,3}(?:\.\d+)?)([YMWD]?)", re.IGNORECASE)
_UNITS = {"": 1.0, "Y": 1.0, "M": 12.0, "W": 52.1775, "D": 365.25}
_DAY = re.compile(r"(\d{4})[-/.]?(\d\d)[-/.]?(\d\d)(?:[T ].*)?")
Row = tuple[int, dict[str, str]]  # number (of the line, of a CSV), column → text


class Columns:
    """Which column plays which part, which are fields and which are left out, of one table."""

    def __init__(self, headers: Sequence[str], said: Mapping[str, str], drop: Sequence[str], path: Path) -> None:
        names = {column_name(header): header for header in headers}
        if len(names) < len(headers):
            raise InputError("two columns have one name", value=path, expected=f"different names: {', '.join(headers)}")
        self.role: dict[str, str] = {}
        for role, header in said.items():
            if column_name(header) in names:
                self.role[role] = names[column_name(header)]
        gone = {column_name(name) for name in drop}
        free = [name for name in names if names[name] not in self.role.values() and name not in gone]
        for role, usual in ROLES.items():
            found = next((name for name in usual if name in free), None)
            if role not in self.role and found is not None:
                self.role[role] = names[found]
                free.remove(found)
        self.naming = sorted(names[name] for name in free if is_naming(name))
        self.dropped = sorted({*self.naming, *(names[name] for name in gone & names.keys())})
        rest = [name for name in free if names[name] not in self.dropped]
        self.fields = {names[name]: f"{name}_" if name in _TAKEN else name for name in rest}
        if not self.role.keys() & {"image", "report", "findings", "impression"}:
            raise InputError(
                "no column holds a report or an image",
                value=", ".join(headers),
                expected="a column called report or image",
                run="whydx index add NAME PATH --column report=COLUMN",
            )


def read(
    path: Path, *, salt: bytes, collection: str, said: Mapping[str, str], drop: Sequence[str], left_out: set[str]
) -> Iterator[tuple[str, Record]]:
    """(where it stands, case) of each row. ``said`` is part → column, as the user says; ``drop`` further columns to
    leave out; ``left_out`` takes up the names of those that are. Raises InputError for a file that cannot be read, an
    image that is not there, and a table without reports and images."""
    headers, rows = _open(path)
    columns = Columns(headers, said, drop, path)
    left_out.update(columns.dropped)
    for number, row in rows:
        where = f"{path.name}, {'line' if path.suffix != '.parquet' else 'row'} {number}"
        yield where, _case(row, columns, path, where, salt, collection)


def _case(row: Mapping[str, str], columns: Columns, path: Path, where: str, salt: bytes, collection: str) -> Record:
    def part(role: str) -> str:
        return row.get(columns.role.get(role, ""), "").strip()

    identifiers = [row.get(name, "") for name in (*columns.naming, columns.role.get("patient", ""))]
    if len(part("id")) >= _LONG_ID:
        identifiers.append(part("id"))
    texts = {role: without(part(role), identifiers) for role in ("report", "indication", "findings", "impression")}
    image = None
    if part("image"):
        image = path.parent / Path(part("image")).expanduser()
        if not image.is_file():
            raise InputError(f"{where}: no such image", value=part("image"), expected=f"a file, from {path.parent}")
    content = file_sha256(image) if image else ""
    own = part("id") or part("image") or json.dumps(row, sort_keys=True, ensure_ascii=False)
    metadata = {name: without(row.get(header, "").strip(), identifiers) for header, name in columns.fields.items()}
    metadata |= {"age": age_years(part("age")), "sex": _SEXES.get(part("sex").lower(), ""), "view": part("view")}
    metadata |= {"date": day(part("date")), "patient": hashed(part("patient"), salt) if part("patient") else ""}
    return case(collection, hashed(own, salt), texts, metadata, image, content)


def case(
    collection: str,
    identity: str,
    texts: Mapping[str, str],
    metadata: Mapping[str, str],
    image: Path | None,
    image_sha256: str,
) -> Record:
    """A case of its texts (report, indication, findings, impression; missing ones are empty) and what is known of it;
    ``identity`` is its hashed id."""
    known = {name: value for name, value in metadata.items() if value}
    known |= {name: texts[name] for name in ("indication", "impression") if texts.get(name)}
    said = [texts.get(name, "") for name in ("report", "findings", "impression")]
    parts = [
        texts.get("report", ""),
        *(
            f"{name.capitalize()}: {texts[name]}"
            for name in ("indication", "findings", "impression")
            if texts.get(name)
        ),
    ]
    return Record(
        doc_id=f"{collection}:{identity}",
        title=person(known.get("age", ""), known.get("sex", "")),
        text=" ".join(filter(None, parts)),
        stated="\n".join(filter(None, said)),
        metadata=known | {"collection": collection},
        image=image,
        image_sha256=image_sha256,
    )


def age_years(text: str) -> str:
    """An age as years, to one decimal below two years: "061Y", "61", "61.4" and "18M" (DICOM's units); "" for anything
    else."""
    match = _AGE.fullmatch(text.strip())
    years = float(match[1]) / _UNITS[match[2].upper()] if match else -1.0
    if not 0 <= years <= 130:
        return ""
    return f"{round(years, 1) if years < 2 else int(years):g}"


def day(text: str) -> str:
    """A date as YYYY-MM-DD, "" where it is not written year first: 03/04/2024 is two different days."""
    match = _DAY.fullmatch(text.strip())
    try:
        return datetime.date(*map(int, match.groups())).isoformat() if match else ""
    except ValueError:
        return ""


def years_between(birth: str, date: str) -> str:
    """Full years between two ISO dates; "" where one is not known."""
    if not birth or not date:
        return ""
    born, seen = datetime.date.fromisoformat(birth), datetime.date.fromisoformat(date)
    years = seen.year - born.year - ((seen.month, seen.day) < (born.month, born.day))
    return str(years) if 0 <= years <= 130 else ""


# --- formats


def _open(path: Path) -> tuple[list[str], Iterator[Row]]:
    """The columns of a table and its rows."""
    readers = {".csv": _csv, ".tsv": _csv, ".jsonl": _jsonl, ".parquet": _parquet}
    headers, rows = readers[path.suffix.lower()](path)
    if not headers:
        raise InputError("the table is empty", value=path, expected="a header and rows")
    return headers, rows


def _csv(path: Path) -> tuple[list[str], Iterator[Row]]:
    csv.field_size_limit(10_000_000)
    text = text_of(path)
    first = text.partition("\n")[0]
    mark = max(",;\t", key=first.count)
    reader = csv.reader(StringIO(text, newline=""), delimiter=mark, strict=True)
    try:
        headers = [header.strip() for header in next(reader, [])]
    except csv.Error as error:
        raise InputError(f"not CSV ({error})", value=path) from error

    def rows() -> Iterator[Row]:
        begin = reader.line_num + 1
        try:
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    if len(cells) != len(headers):
                        found = f"{len(cells)} cells, not {len(headers)}"
                        raise InputError(f"line {begin}: {found}", value=path, expected="a cell for each column")
                    yield begin, dict(zip(headers, cells, strict=True))
                begin = reader.line_num + 1
        except csv.Error as error:
            raise InputError(f"line {begin} is not CSV ({error})", value=path) from error

    return headers, rows()


def _jsonl(path: Path) -> tuple[list[str], Iterator[Row]]:
    found: list[Row] = []
    for number, line in enumerate(text_of(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            raise InputError(f"line {number} is not a row", value=path, expected='{"report": "…", "age": 61}')
        found.append((number, {name: _cell(value) for name, value in row.items()}))
    return list(dict.fromkeys(name for _, row in found for name in row)), iter(found)


def _parquet(path: Path) -> tuple[list[str], Iterator[Row]]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise InputError("cannot read the Parquet file", value=path, expected="a Parquet table") from error
    rows = ({name: _cell(value) for name, value in row.items()} for row in table.to_pylist())
    return list(table.column_names), enumerate(rows, 1)


def _cell(value: Any) -> str:
    """A value as text: a list as its items joined by "; ", a date in ISO; what has parts of its own says nothing."""
    if value is None or isinstance(value, dict | bytes):
        return ""
    if isinstance(value, list | tuple):
        return "; ".join(filter(None, map(_cell, value)))
    if isinstance(value, datetime.datetime | datetime.date):
        return value.isoformat()
    if isinstance(value, float):
        return "" if value != value else f"{value:.10g}"
    return str(value)
