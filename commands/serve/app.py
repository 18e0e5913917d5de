"""The HTTP service: reports, CDS Hooks, health, figures, and the pages that say how to use it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import logging
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import HTMLResponse, JSONResponse, Response

from commands.serve import cds
from commands.serve.forms import Layout, body_schema, first_problem, received
from commands.serve.guard import Guard, drained
from commands.serve.metrics import CONTENT, Metrics
from commands.serve.pool import Busy, Failed, Gone, Pool
from commands.serve.settings import Settings
from records import feedback

_LOG = logging.getLogger("whydx")
_PAGE = Path(__file__).parent / "page"
_AFTER_FAILURE = "5"  # seconds
_DESCRIPTION = """\
Decision support for chest imaging: not a medical device, a physician decides. A report is made of images, a note or
stated findings, and comes as a page, JSON, FHIR R4, plain words or a DICOM SR. Nothing of a request is kept but an
audit record without identifiers."""


class Detail(BaseModel):
    """Why there is no answer, in one line."""

    detail: str


class Health(BaseModel):
    status: str
    workers: int


_SAID: dict[int, str] = {
    400: "It cannot be used.",
    401: "A bearer token is needed.",
    403: "The name or the origin is not allowed.",
    404: "A card is not known.",
    408: "It came too slowly.",
    412: "Nothing that the service reads was prefetched.",
    413: "It is too large.",
    415: "Another type is expected.",
    422: "It is not what is expected.",
    429: "All workers are busy; Retry-After says when to come back.",
    503: "The service cannot answer now.",
}


def _answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": Detail, "description": _SAID[status]} for status in (401, 403, *statuses)}


_REPORT: dict[int | str, dict[str, Any]] = _answers(400, 408, 413, 415, 422, 429, 503)
_REPORT |= {
    200: {
        "description": "The report.",
        "content": {
            "text/html": {"schema": {"type": "string"}},
            "application/json": {"schema": {"type": "object"}},
            "application/fhir+json": {"schema": {"type": "object"}},
            "text/plain": {"schema": {"type": "string"}},
            "application/dicom": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


def service(settings: Settings, pool: Pool, metrics: Metrics) -> FastAPI:
    """The application. Its pool must have been started when the first request comes."""
    from importlib.metadata import version

    app = FastAPI(title="whydx", version=version("whydx"), description=_DESCRIPTION, docs_url=None, redoc_url=None)
    book = cds.Book()
    _errors(app)
    _reports(app, settings, pool, metrics)
    _cards(app, settings, pool, metrics, book)
    _pages(app, settings, pool, metrics)
    if settings.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.origins),
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type"],
        )
    app.add_middleware(Guard, settings=settings, metrics=metrics)
    return app


def _errors(app: FastAPI) -> None:
    async def invalid(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        return JSONResponse({"detail": first_problem(error.errors())}, 422)

    async def busy(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, Busy)
        return JSONResponse({"detail": "all workers are busy"}, 429, headers={"Retry-After": str(error.after)})

    async def failed(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"detail": f"no answer: {error}"}, 503, headers={"Retry-After": _AFTER_FAILURE})

    async def unforeseen(request: Request, error: Exception) -> JSONResponse:
        _LOG.error("%s", type(error).__name__)
        return JSONResponse({"detail": "the service failed"}, 500)

    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(Busy, busy)
    app.add_exception_handler(Failed, failed)
    app.add_exception_handler(Exception, unforeseen)


async def _done(pool: Pool, metrics: Metrics, job: dict[str, Any], request: Request) -> tuple[dict[str, Any], bytes]:
    """The answer to a job. Raises HTTPException for one that has none, Failed when it was given up."""
    try:
        head, body = await pool.run(job, request.is_disconnected)
    except Failed as error:
        metrics.given_up.inc(not isinstance(error, Gone))
        raise
    if head["status"] != 200:
        raise HTTPException(head["status"], head["detail"])
    return head, body


def _reports(app: FastAPI, settings: Settings, pool: Pool, metrics: Metrics) -> None:
    @app.post(
        "/report",
        response_class=Response,
        responses=_REPORT,
        openapi_extra={"requestBody": body_schema()},
        summary="A report on one patient",
    )
    async def report(
        request: Request, format: Annotated[Layout, Query(description="What it comes as.")] = "html"
    ) -> Response:
        try:
            async with pool.place(), received(request, settings.images) as (fields, folder, names):
                job = fields.job(format) | {"images": names, "folder": str(folder)}
                head, body = await _done(pool, metrics, job, request)
        except Busy:
            await drained(request.receive, settings.bytes)
            raise
        headers = {}
        if format == "html":
            # what the page itself says of scripts and styles holds; this is what a page cannot say
            headers["Content-Security-Policy"] = "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
        elif format == "dicom-sr":
            headers["Content-Disposition"] = 'attachment; filename="whydx-report.dcm"'
        return Response(body, media_type=head["type"], headers=headers)


def _cards(app: FastAPI, settings: Settings, pool: Pool, metrics: Metrics, book: cds.Book) -> None:
    @app.get("/cds-services", responses=_answers(), summary="CDS Hooks: what is offered")
    async def discovery() -> dict[str, Any]:
        return cds.SERVICES

    @app.post(
        f"/cds-services/{cds.ID}",
        responses=_answers(400, 408, 412, 413, 422, 429, 503),
        summary="CDS Hooks: a card on the patient in view",
    )
    async def hook(request: Request, call: cds.Request) -> Any:
        given = await asyncio.to_thread(cds.patient, call.prefetch or {})
        if not any((call.prefetch or {}).values()):
            raise HTTPException(412, "nothing was prefetched; expected what discovery names")
        if "note" not in given:
            return {"cards": []}
        async with pool.place():
            job = given | {"format": "cds", "folder": str(_PAGE)}
            head, body = await _done(pool, metrics, job, request)
        response = json.loads(body)
        book.add(response, head["entries"])
        return response

    @app.post(
        f"/cds-services/{cds.ID}/feedback",
        responses=_answers(400, 404, 408, 413, 422, 503),
        summary="CDS Hooks: what came of cards; kept as feedback, without comments",
    )
    async def outcomes(said: cds.Outcomes) -> dict[str, Any]:
        entries, unknown = book.answers(said.feedback)
        try:
            await asyncio.to_thread(feedback.keep, settings.home, entries)
        except OSError as error:
            raise HTTPException(503, "the feedback cannot be kept") from error
        if unknown:
            of_all = f"{len(unknown)} of {len(said.feedback)}"
            raise HTTPException(404, f"{of_all} answer no card or suggestion that this service remembers")
        return {}


def _pages(app: FastAPI, settings: Settings, pool: Pool, metrics: Metrics) -> None:
    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def form() -> HTMLResponse:
        page, policy = _form_page(settings.images, settings.megabytes)
        return HTMLResponse(page, headers={"Content-Security-Policy": policy})

    @app.get("/healthz", response_model=Health, responses={503: {"model": Health}}, summary="Whether it can answer")
    async def health() -> JSONResponse:
        well = pool.alive
        told = Health(status="ok" if well else "no worker", workers=max(0, len(pool.processes) - 1))
        return JSONResponse(told.model_dump(), 200 if well else 503)

    @app.get("/metrics", response_class=Response, responses=_answers(), summary="Figures for Prometheus")
    async def figures() -> Response:
        text = await asyncio.to_thread(metrics.text, pool)
        return Response(text, headers={"Content-Type": CONTENT})

    @app.get("/docs", response_class=HTMLResponse, include_in_schema=False)
    async def docs() -> HTMLResponse:
        page = (_PAGE / "docs.html").read_text(encoding="utf-8")
        policy = (
            "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
            "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
        )
        return HTMLResponse(page, headers={"Content-Security-Policy": policy})

    @app.get("/docs/{name}", include_in_schema=False)
    async def part(name: str) -> Response:
        path, kind = _parts().get(name, (None, ""))  # a table, so that a name is never a path
        if path is None:
            raise HTTPException(404, "Not Found")
        return Response(path.read_bytes(), media_type=kind, headers={"Cache-Control": "max-age=3600"})


@cache
def _parts() -> dict[str, tuple[Path, str]]:
    """The parts of the page of the API by name. Swagger UI comes from the package that has it for use offline."""
    import fastapi_offline

    swagger = Path(fastapi_offline.__file__).parent / "static"
    script, style = "text/javascript; charset=utf-8", "text/css; charset=utf-8"
    return {
        "start.js": (_PAGE / "docs.js", script),
        "swagger-ui-bundle.js": (swagger / "swagger-ui-bundle.js", script),
        "swagger-ui.css": (swagger / "swagger-ui.css", style),
    }


@cache
def _form_page(images: int, megabytes: int) -> tuple[str, str]:
    """The form, and its policy: its own style sheet, its own address, and nothing else."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    from ontologies.chest.people import SETTINGS
    from reports.table import DISCLAIMER

    style = (_PAGE / "form.css").read_text(encoding="utf-8")
    environment = Environment(
        loader=FileSystemLoader(_PAGE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    page = environment.get_template("form.html.jinja").render(
        style=style, disclaimer=DISCLAIMER, settings=tuple(SETTINGS), images=images, megabytes=megabytes
    )
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; form-action 'self'"
    return page, f"{policy}; frame-ancestors 'none'; base-uri 'none'"
