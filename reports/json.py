"""Reports and every other answer as JSON, and the report's JSON Schema.

The same value always gives the same bytes: UTF-8, keys in the order of the fields (mappings: sorted), floats rounded to
``SIGNIFICANT_DIGITS``, no NaN, a newline at the end.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from errors import InputError
from fusion.diagnosis import DiagnosticReport

SIGNIFICANT_DIGITS = 6
SCHEMA_ID = "urn:whydx:report:2"
_STEERING = re.compile("[\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def plain(value: Any) -> Any:
    """``value`` as what JSON knows: dict, list, str, int, float, bool, None.

    Dataclasses become dicts of their fields, mappings dicts with sorted string keys, other iterables lists, paths
    strings, NumPy scalars and arrays numbers and lists. Floats are rounded to ``SIGNIFICANT_DIGITS`` significant
    digits; a NaN or an infinity, which JSON cannot say, becomes None. Raises TypeError for anything else.
    """
    if value is None or isinstance(value, str | bool):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, set | frozenset):
        return [plain(item) for item in sorted(value)]
    if hasattr(value, "tolist"):  # NumPy scalars and arrays, without importing NumPy
        return plain(value.tolist())
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        rounded = float(f"{value:.{SIGNIFICANT_DIGITS}g}")
        return rounded + 0.0 if abs(rounded) < float("inf") else None  # + 0.0 turns -0.0 into 0.0
    if isinstance(value, Iterable) and not isinstance(value, bytes):
        return [plain(item) for item in value]
    raise TypeError(f"no JSON for {type(value).__name__}")


def dumps(value: Any) -> str:
    """``value`` (a report, or anything ``plain`` takes) as indented JSON text with a newline at the end."""
    return escaped(json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False)) + "\n"


def escaped(text: str) -> str:
    """JSON text with every character written as an escape that would steer a terminal (C1 controls, DEL) or turn a line
    around; the value is the same. JSON itself asks only for those below U+0020."""
    return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def dump_lines(rows: Iterable[Any]) -> str:
    """``rows`` as JSON lines: one compact object a line, "" for no rows."""
    return "".join(escaped(json.dumps(plain(row), ensure_ascii=False, allow_nan=False)) + "\n" for row in rows)


def loads(text: str | bytes) -> DiagnosticReport:
    """The report that ``dumps`` wrote. Raises InputError when the text is not JSON or not a report."""
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(DiagnosticReport).validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the whole text"
        raise InputError("not a whydx report", value=f"{place}: {first['msg']}", expected=SCHEMA_ID) from error


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a report, generated from the dataclasses.

    Objects are closed and every field is required, since ``dumps`` writes all of them.
    """
    from pydantic import TypeAdapter

    generated = TypeAdapter(DiagnosticReport).json_schema(mode="serialization")
    for part in (generated, *generated.get("$defs", {}).values()):
        part["required"] = sorted(part["properties"])
        part["additionalProperties"] = False
        part["description"] = " ".join(part["description"].split())  # however the docstring is wrapped
    return {"$schema": _DIALECT, "$id": SCHEMA_ID} | generated


def schema_text() -> str:
    """The text of docs/report.schema.json."""
    return json.dumps(schema(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"
