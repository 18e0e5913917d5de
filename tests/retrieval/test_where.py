from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import InputError
from retrieval.document import Document
from retrieval.where import parse


def case(concepts: tuple[str, ...] = (), **metadata: str) -> Document:
    return Document(doc_id="x", kind="case", title="", text="", source_curie="x", concepts=concepts, metadata=metadata)


WOMAN = case(("HP:0002202",), age="71", sex="F", view="PA", findings="Pleural effusion; Cardiomegaly")
MAN = case(age="40", sex="M", view="AP", findings="Pneumothorax")
UNKNOWN = case(findings="Pleural effusion")


@pytest.mark.parametrize(
    ("expression", "woman", "man", "unknown"),
    [
        ("age>60 and finding:effusion", True, False, False),
        ("age > 60 or finding : effusion", True, False, True),
        ("AGE<=40", False, True, False),
        ("age==71", True, False, False),
        ("age!=71", False, True, False),
        ("not age>60", False, True, False),  # an age that is not stated is not known to be below either
        ("not (age>60 or sex=M)", False, False, False),
        ("not (age>60 and sex=M)", True, True, False),
        ("sex:female", True, False, False),
        ("view:ap", False, True, False),
        ("finding:'pleural effusion'", True, False, True),
        ('finding:"effusion pleural"', False, False, False),
        ("finding:pneumo", False, False, False),  # whole words
        ("finding:effusions", True, False, True),
        ("finding!=effusion", False, True, False),
        ("finding:HP:0002202", True, False, False),
        ("finding=HP:0002202 and not sex:M", True, False, False),
        ("finding:effusion and age>60 or sex:m", True, True, False),
        ("age>60 and age<80 and (view:PA or view:AP)", True, False, False),
        ("finding :effusion", True, False, True),
    ],
)
def test_holds(expression: str, woman: bool, man: bool, unknown: bool) -> None:
    matches = parse(expression)
    assert (matches(WOMAN), matches(MAN), matches(UNKNOWN)) == (woman, man, unknown)


@pytest.mark.parametrize(
    "expression",
    [
        "", "  ", "age", "age>", ">60", "age>old", "age>60 and", "and age>60", "age>60 sex:F", "(age>60", "age>60)",
        "size>3", "sex>F", "sex:X", "finding:'effusion", "finding:''", "finding:--", "age>60; import os", "not", "()",
        "age>-1", "!",
        "(" * 30 + "age>60" + ")" * 30, "not " * 200 + "age>1", "age>60 and " * 200 + "age>60", "age ! 60",
    ],
)  # fmt: skip
def test_bad_expressions_are_one_line(expression: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(expression)
    assert "\n" not in str(caught.value)


@given(st.text(alphabet="age>6 0<=!:sxfindor()'\"not\n\\é", max_size=40))
def test_any_text_is_a_filter_or_an_input_error(expression: str) -> None:
    try:
        matches = parse(expression)
    except InputError:
        return
    assert isinstance(matches(WOMAN), bool)
