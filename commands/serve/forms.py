"""What a request gives of a patient: the fields of the form, and its images, written where a worker finds them."""

from __future__ import annotations

import asyncio
import datetime
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from ontologies.chest.people import Setting

Layout = Literal["html", "json", "fhir", "plain", "csv", "dicom-sr"]
LAYOUTS: tuple[str, ...] = get_args(Layout)
IMAGE = "image"
_MOST_FIELDS = 120
_LONGEST_FIELD = 1 << 18
_SEVERAL = ("finding", "absent")
Statement = Annotated[str, Field(min_length=1, max_length=200)]
Statements = Annotated[list[Statement], Field(max_length=50)]


class Fields(BaseModel):
    """The fields of the form but its images. An empty one counts as not given."""

    model_config = ConfigDict(extra="forbid")

    note: Annotated[str | None, Field(max_length=20_000, description="What is known about the patient, in words.")] = (
        None
    )
    finding: Annotated[Statements, Field(description="A finding that is present: CURIE or name; may be repeated.")] = []
    absent: Annotated[Statements, Field(description="A finding that is absent: CURIE or name; may be repeated.")] = []
    age: Annotated[float | None, Field(ge=0, le=130, description="Years.")] = None
    sex: Literal["F", "M"] | None = None
    setting: Annotated[Setting, Field(description="Where the patient is seen.")] = "neutral"
    k: Annotated[int, Field(ge=1, le=50, description="How many diagnoses are shown.")] = 5
    date: Annotated[
        datetime.date | None, Field(description="dicom-sr: its date, in place of all dates of the study.")
    ] = None

    def job(self, layout: Layout) -> dict[str, Any]:
        """As `worker.answer` takes it."""
        given = self.model_dump(mode="json", exclude={"finding", "date"})
        return given | {"present": self.finding, "day": self.date and self.date.isoformat(), "format": layout}


def body_schema() -> dict[str, Any]:
    """The request body for OpenAPI."""
    schema = Fields.model_json_schema()
    images = {"type": "array", "items": {"type": "string", "format": "binary"}}
    schema["properties"] = {
        IMAGE: images | {"description": "DICOM, PNG or JPEG; the images of one study."},
        **schema["properties"],
    }
    return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}


@asynccontextmanager
async def received(request: Request, images: int) -> AsyncIterator[tuple[Fields, Path, list[str]]]:
    """The fields, a folder of this request alone, and the names of its images in it: ours, never the client's. All of
    it is gone afterwards. Raises HTTPException for another form than is expected."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise HTTPException(415, "expected multipart/form-data")
    with TemporaryDirectory(prefix="whydx-") as folder:
        async with request.form(max_files=images, max_fields=_MOST_FIELDS, max_part_size=_LONGEST_FIELD) as form:
            fields = _fields(form)
            names = await _written(form, Path(folder))
        if not (names or fields.note or fields.finding or fields.absent):
            raise HTTPException(400, "nothing to diagnose from; expected an image, a note or a finding")
        yield fields, Path(folder), names


def _fields(form: FormData) -> Fields:
    given: dict[str, Any] = {}
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            if name != IMAGE:
                raise HTTPException(422, f"a file is expected as {IMAGE} only")
        elif name in _SEVERAL:
            if value.strip():
                given.setdefault(name, []).append(value.strip())
        elif name in given:
            raise HTTPException(422, "a field that is given once is given twice")
        elif value.strip() and name != IMAGE:
            given[name] = value
    if "\0" in given.get("note", ""):
        raise HTTPException(422, "note: expected text without NUL bytes")
    try:
        return Fields.model_validate(given)
    except ValidationError as error:
        raise HTTPException(422, first_problem(error.errors())) from error


def first_problem(errors: Any) -> str:
    """The first of pydantic's errors in a line, without the value: it may be a patient's."""
    first = errors[0]
    where = ".".join(str(part) for part in first["loc"] if part != "body")
    known = where.split(".")[0] in {*Fields.model_fields, "hook", "hookInstance", "context", "prefetch", "feedback"}
    return f"{where if known else 'the request'}: {first['msg']}"[:300]


async def _written(form: FormData, folder: Path) -> list[str]:
    names: list[str] = []
    for value in form.getlist(IMAGE):
        if not isinstance(value, UploadFile):
            continue
        if not value.size and not value.filename:  # a browser's field without a file
            continue
        name = f"image-{len(names) + 1}"
        with (folder / name).open("wb") as file:
            await asyncio.to_thread(shutil.copyfileobj, value.file, file)
        names.append(name)
    return names
