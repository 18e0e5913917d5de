"""The SNOMED CT concepts that DICOM PS3.16 names, from pydicom's code table → concepts and terms.

The table is Python source. It is parsed, never run: only literals assigned to ``concepts["SCT"]`` are taken.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from errors import InputError
from ontologies.concept import Concept, Statement, Term

# Context groups (PS3.16 CIDs) whose members are body parts.
_ANATOMY = frozenset({4, 3010, 3014, 3015, 3630, 4009, 4030, 4031, 4042, 6149, 7192, 7600, 7602, 7603, 9514})
# Groups that say nothing of a human patient: animal ranks, breeds, and their registries.
_VETERINARY = frozenset({7454, 7480, 7481, 7486})
_CODE = re.compile(r"\d{6,18}")
_SOURCE = "DICOM PS3.16"


def read(path: Path) -> Iterator[Statement]:
    """Stream the SNOMED CT concepts in the order of their codes (as integers).

    Concept: "SNOMEDCT:code" with the meaning DICOM gives it, typed "Body Part, Organ, or Organ Component" when it is
    in an
    anatomical context group, else untyped. Term: the meaning ("preferred"). Animal breeds are left out.
    Raises InputError when the file is missing or has no such table.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("no such code table", value=path)
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError, RecursionError) as error:
        raise InputError(
            f"{path.name} is not a code table", value=error, expected="pydicom's table of concepts"
        ) from error
    meanings: dict[str, tuple[str, frozenset[int]]] = {}
    try:
        for keyword in _table(tree, path).values():
            for code, (meaning, groups) in keyword.items():
                if _CODE.fullmatch(code):
                    known = meanings.get(code, (meaning, frozenset()))
                    meanings[code] = (min(known[0], str(meaning)), known[1] | frozenset(groups))
    except (AttributeError, TypeError, ValueError) as error:
        raise InputError(
            f"{path.name} is not a code table", value=error, expected="keyword → code → (meaning, CIDs)"
        ) from error
    for code, (meaning, cids) in sorted(meanings.items(), key=lambda item: int(item[0])):
        if cids and cids <= _VETERINARY:
            continue
        curie = f"SNOMEDCT:{code}"
        types = ("Body Part, Organ, or Organ Component",) if cids & _ANATOMY else ()
        yield Concept(curie=curie, name=meaning, semantic_types=types, codes={"SNOMEDCT": (code,)})
        yield Term(curie=curie, text=meaning, kind="preferred", source=_SOURCE)


def _table(tree: ast.Module, path: Path) -> dict[str, dict[str, tuple[str, list[int]]]]:
    for node in tree.body:
        match node:
            case ast.Assign(
                targets=[ast.Subscript(value=ast.Name(id="concepts"), slice=ast.Constant(value="SCT"))], value=literal
            ):
                table: dict[str, dict[str, tuple[str, list[int]]]] = ast.literal_eval(literal)
                return table
    raise InputError(f"{path.name} has no SNOMED CT table", value=path, expected='an assignment to concepts["SCT"]')
