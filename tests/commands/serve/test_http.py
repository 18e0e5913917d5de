"""What the service answers over HTTP, and what it does not let through."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pydicom
import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")

from starlette.testclient import TestClient

from commands.serve.settings import MEBI
from reports.json import loads
from reports.reporter import FORMATS, reporter

Asked = Callable[..., TestClient]
NOTE = "A 70-year-old man with fever, productive cough and crackles at the right base."
TOKEN = "correct-horse-battery-staple"
NO_FILE = {"image": ("", b"")}  # as a browser sends the form when none is chosen


def test_a_report_is_what_python_gives(client: TestClient, dx: Any) -> None:
    expected = dx.diagnose(note=NOTE, absent=["Hemoptysis"], sex="M", setting="ward", k=3, audited=False)
    given = {"note": NOTE, "absent": "Hemoptysis", "sex": "M", "setting": "ward", "k": "3", "age": ""}
    answer = client.post("/report?format=json", data=given, files=NO_FILE)
    assert (answer.status_code, answer.text) == (200, expected.to_json())
    for layout in set(FORMATS) - {"plain"}:
        answer = client.post(f"/report?format={layout}", data=given, files=NO_FILE)
        assert answer.text == reporter(layout).render(expected)
    assert client.post("/report", data=given, files=NO_FILE).headers["content-type"].startswith("text/html")


def test_an_image_comes_back_as_a_structured_report(client: TestClient, phantom: Path) -> None:
    answer = client.post("/report?format=dicom-sr", files={"image": ("film.dcm", phantom.read_bytes())})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/dicom")
    document, film = pydicom.dcmread(BytesIO(answer.content)), pydicom.dcmread(phantom)
    assert document.StudyInstanceUID == film.StudyInstanceUID
    assert document.SOPClassUID.name == "Comprehensive 3D SR Storage"


def test_who_the_patient_is_comes_back_nowhere(
    client: TestClient, phantom: Path, own: Path, caplog: pytest.LogCaptureFixture
) -> None:
    film = pydicom.dcmread(phantom)
    film.PatientName, film.PatientID, film.AccessionNumber = "Zweifel^Konradine", "PID-77441", "ACC-33129"
    film.PatientBirthDate, film.ReferringPhysicianName, film.InstitutionName = "19320417", "Grabowski", "Haus Sonneck"
    film.PatientComments = film.ImageComments = "Zweifel, Lindenweg 3"
    file = BytesIO()
    film.save_as(file)
    caplog.set_level("DEBUG")
    said = []
    for layout in ("json", "dicom-sr"):
        answer = client.post(f"/report?format={layout}", files={"image": ("Zweifel.dcm", file.getvalue())})
        assert answer.status_code == 200
        said += [answer.content.decode("latin-1"), str(answer.headers)]
    said += [str(reporter(layout).render(loads(said[0]))) for layout in FORMATS]  # all that the others know
    film.Rows = 1
    broken = BytesIO()
    film.save_as(broken)
    refused = client.post("/report", files={"image": ("Zweifel.dcm", broken.getvalue())})
    assert refused.status_code == 400
    said += [refused.text, client.get("/metrics").text, caplog.text, (own / "audit.jsonl").read_text()]
    for name in ("Zweifel", "Konradine", "PID-77441", "ACC-33129", "19320417", "Grabowski", "Sonneck", "Lindenweg"):
        assert not [text for text in said if name in text], name


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style></title><svg/onload=alert(1)>",
    "{{7*7}}{% import os %}${7*7}",
    "../../../../etc/passwd",
    "..\\..\\windows\\win.ini",
    "x.dcm\r\nSet-Cookie: a=b\r\n\r\n<script>alert(1)</script>",
    "javascript:alert(1)//",
    "http://169.254.169.254/latest/meta-data/",
    "'; DROP TABLE x; --",
    "=cmd|'/c calc'!A1",
    "\N{RIGHT-TO-LEFT OVERRIDE}gpj.exe",
)


def test_what_a_client_writes_is_inert(client: TestClient) -> None:
    note = {"note": f"Fever and cough. {' '.join(HOSTILE)}"}
    page = client.post("/report?format=html", data=note, files=NO_FILE)
    assert page.status_code == 200
    assert not [payload for payload in HOSTILE if "<" in payload and payload in page.text]
    assert "${49}" not in page.text
    for payload in HOSTILE:
        answers = [
            client.post("/report", data={"note": "fever", "finding": payload}, files=NO_FILE),
            client.post("/report?format=fhir", files={"image": (payload, b"not an image")}),
            client.post("/report", params={"format": payload}, files=NO_FILE),
            client.post("/report", data={payload: "fever"}, files=NO_FILE),
            client.get(f"/docs/{quote(payload, safe='')}"),
            client.get("/cds-services", headers={"X-Any": quote(payload)}),
        ]
        for answer in answers:
            assert answer.status_code in (200, 400, 404, 422), answer.text
            assert "set-cookie" not in answer.headers
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
            assert answer.headers["content-type"] == "application/json"
            assert not [v for v in answer.headers.values() if payload[:12] in v]
            assert "root:" not in answer.text


def test_the_names_of_uploads_are_ours(asked: Asked) -> None:
    client = asked()
    client.post("/report", files={"image": ("../../../../tmp/evil.dcm", b"\x89PNG\r\n\x1a\n")})
    (job,) = client.app.state.pool.jobs  # type: ignore[attr-defined]
    assert job["images"] == ["image-1"]
    assert not Path(job["folder"]).exists()  # gone with the request


@pytest.mark.parametrize(
    ("given", "status", "detail"),
    [
        ({"data": {}, "files": NO_FILE}, 400, "nothing to diagnose from"),
        ({"data": {"note": "fever"}}, 415, "multipart/form-data"),
        ({"json": {"note": "fever"}}, 415, "multipart/form-data"),
        ({"files": {"image": ("a", b"")}}, 400, "the image file is empty: 'image-1'"),
        ({"files": {"image": ("a.zip", b"PK\x03\x04" + bytes(99))}}, 400, "not an image whydx reads"),
        ({"files": {"other": ("a", b"x")}}, 422, "a file is expected as image only"),
        ({"files": [("image", (str(n), b"x")) for n in range(9)]}, 400, "Too many files"),
        ({"data": {"age": "old"}, "files": NO_FILE}, 422, "age: "),
        ({"data": {"age": "131", "note": "x"}, "files": NO_FILE}, 422, "age: "),
        ({"data": {"k": "51", "note": "x"}, "files": NO_FILE}, 422, "k: "),
        ({"data": {"note": "x" * 20_001}, "files": NO_FILE}, 422, "note: "),
        ({"data": {"note": "a\0b"}, "files": NO_FILE}, 422, "NUL"),
        ({"data": {"note": ["a", "b"]}, "files": NO_FILE}, 422, "given twice"),
        ({"data": {"finding": "no such thing", "note": "x"}, "files": NO_FILE}, 400, "no such thing"),
        ({"data": {"finding": "Fever", "absent": "Fever"}, "files": NO_FILE}, 400, "present and as absent"),
    ],
)
def test_what_cannot_be_used_is_said_in_a_line(
    client: TestClient, given: dict[str, Any], status: int, detail: str
) -> None:
    answer = client.post("/report", **given)
    assert answer.status_code == status, answer.text
    said = answer.json()["detail"]
    assert detail in said
    assert "\n" not in said
    assert "whydx " not in said.replace("an image whydx reads", "")  # no command of a shell


def test_a_request_that_is_too_large_or_too_slow_is_refused(asked: Asked) -> None:
    client = asked(megabytes=1)
    answer = client.post("/report", files={"image": ("a", bytes(MEBI + 1))})
    assert (answer.status_code, answer.json()["detail"]) == (413, "the request is too large; expected at most 1 MiB")

    def endless() -> Any:  # without a length
        yield b"--x\r\nContent-Disposition: form-data; name=image; filename=a\r\n\r\n"
        for _ in range(40):
            yield bytes(MEBI // 16)

    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    assert client.post("/report", content=endless(), headers=kind).status_code == 413
    large = json.dumps({"feedback": ["x" * (MEBI + 1)]})
    assert client.post("/cds-services/whydx/feedback", content=large).status_code == 413


def test_a_request_that_never_ends_is_ended(asked: Asked) -> None:
    client = asked(upload_seconds=0.2)
    sent: list[Any] = []

    async def receive() -> Any:
        await asyncio.sleep(0.15)
        return {"type": "http.request", "body": b"--x\r\n" if not sent else b"-", "more_body": True}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"host", b"localhost"), (b"content-type", b"multipart/form-data; boundary=x")]
    scope = {"type": "http", "method": "POST", "path": "/report", "raw_path": b"/report", "query_string": b""}
    whole = {**scope, "headers": headers, "http_version": "1.1", "scheme": "http", "server": ("localhost", 80)}
    asyncio.run(client.app(whole, receive, send))  # type: ignore[arg-type]
    assert sent[0]["status"] == 408


def test_who_has_no_token_is_not_answered(asked: Asked) -> None:
    client = asked("whydx.example", token=TOKEN, hosts=("whydx.example",))
    for path in ("/", "/docs", "/openapi.json", "/metrics", "/cds-services"):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="whydx"')
        assert client.get(path, headers={"Authorization": f"Bearer {TOKEN}x"}).status_code == 401
        assert client.get(path, headers={"Authorization": f"Basic {TOKEN}"}).status_code == 401
        assert client.get(path, headers={"Authorization": "Bearer \xff".encode("latin-1")}).status_code == 401
        assert client.get(path, headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert client.get("/healthz").status_code == 200
    assert client.post("/report", data={"note": "fever"}).status_code == 401


def test_another_site_cannot_ask_through_a_browser(asked: Asked, client: TestClient) -> None:
    given = {"data": {"note": "fever"}, "files": NO_FILE}
    rebound = asked("evil.example")
    assert rebound.get("/").status_code == 403
    assert client.post("/report", headers={"Origin": "http://evil.example"}, **given).status_code == 403
    assert client.post("/report", headers={"Origin": "null"}, **given).status_code == 403
    assert client.post("/report", headers={"Origin": "http://127.0.0.1"}, **given).status_code == 200
    friend = asked(origins=("https://ehr.example",))
    answer = friend.get("/cds-services", headers={"Origin": "https://ehr.example"})
    assert answer.headers["access-control-allow-origin"] == "https://ehr.example"
    assert (
        "access-control-allow-origin"
        not in friend.get("/cds-services", headers={"Origin": "https://x.example"}).headers
    )


def test_who_comes_when_all_are_busy_is_told_when_to_come_back(asked: Asked) -> None:
    client = asked(workers=1, queue=0)
    pool = client.app.state.pool  # type: ignore[attr-defined]

    async def hold() -> None:
        async with pool.place():
            answer = await asyncio.to_thread(client.post, "/report", files={"image": ("a", bytes(MEBI))})
            card = {"prefetch": {"c": {"resourceType": "Condition", "code": {"text": "Fever"}}}}
            call = {"hook": "patient-view", "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"}
            context = {"context": {"userId": "Practitioner/1", "patientId": "1"}}
            hook = await asyncio.to_thread(client.post, "/cds-services/whydx", json=card | call | context)
        for busy in (answer, hook):
            assert (busy.status_code, busy.json()) == (429, {"detail": "all workers are busy"})
            assert int(busy.headers["retry-after"]) >= 1

    asyncio.run(hold())
    assert not pool.jobs
    assert client.post("/report", data={"note": "fever"}, files=NO_FILE).status_code == 200


def test_the_pages_load_nothing_from_outside(client: TestClient) -> None:
    for page in ("/", "/docs"):
        answer = client.get(page)
        wanted = re.findall(r'(?:src|href|action|formaction)="([^"]*)"', answer.text)
        assert wanted
        for address in wanted:
            assert address.startswith(("/", "data:,")), address
            if address.startswith("/docs/"):
                assert client.get(address).status_code == 200
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "http" not in policy
    assert "/report" in client.get("/openapi.json").json()["paths"]


def test_figures_name_routes_and_nobody(client: TestClient) -> None:
    client.get("/no/such/Zweifel")
    text = client.get("/metrics").text
    assert 'whydx_requests_total{method="GET",path="other",status="404"}' in text
    assert "Zweifel" not in text
    assert client.get("/healthz").json() == {"status": "ok", "workers": 0}
