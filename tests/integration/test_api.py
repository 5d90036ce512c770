"""The HTTP API: what each role may do, what bad input says, what a write promises."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlmodel import select

from api.app import create_app
from api.services import Services
from kb import keys
from kb.access import SYSTEM
from kb.models import Event, EventKind

BODY = {
    "title": "Reset the router",
    "issue": "The router does not answer.",
    "resolution": "Hold the reset button for twelve seconds. The light blinks.",
    "audience": "public",
    "products": ["fibrebox"],
}


@pytest.fixture
def client(services: Services) -> Iterator[TestClient]:
    with TestClient(create_app(services), raise_server_exceptions=False) as opened:
        yield opened


def bearer(services: Services, role: str) -> dict[str, str]:
    with services.db.write() as session:
        return {"Authorization": f"Bearer {keys.add(session, f'test {role}', role, actor=SYSTEM)}"}


def publish(services: Services, client: TestClient) -> None:
    """Publish the one item of these tests and wait until it can be found."""
    editor = bearer(services, "editor")
    client.post("/v1/items", json={**BODY, "publish": True}, params={"wait": "searchable"}, headers=editor)


def test_the_life_of_an_item(services: Services, client: TestClient) -> None:
    editor = bearer(services, "editor")
    created = client.post("/v1/items", json={**BODY, "publish": True}, params={"wait": "searchable"}, headers=editor)
    assert created.status_code == 201
    written = created.json()
    assert written == {"item": "KB-1", "revision": 1, "state": "published", "seq": 2, "searchable": True}
    hits = client.get("/v1/search", params={"q": "router does not answer"}).json()["hits"]
    assert [(hit["item"], hit["title"]) for hit in hits] == [("KB-1", "Reset the router")]
    read = client.get("/v1/items/KB-1").json()
    assert (read["title"], read["products"], read["revision"]) == ("Reset the router", ["fibrebox"], 1)
    change = {**BODY, "title": "Restart the router", "based_on": 1}
    draft = client.put("/v1/items/KB-1", json=change, headers=editor).json()
    assert (draft["revision"], draft["state"]) == (2, "published")
    assert client.get("/v1/items/KB-1").json()["title"] == "Reset the router", "a draft is not what readers see"
    stale = client.put("/v1/items/KB-1", json=change, headers=editor)
    assert (stale.status_code, stale.json()["code"]) == (409, "stale_revision")
    client.post("/v1/items/KB-1/publish", params={"wait": "searchable"}, headers=editor)
    assert client.get("/v1/search", params={"q": "Restart the router"}).json()["hits"][0]["exact_title"] is True
    retired = client.post("/v1/items/KB-1/retire", headers=editor)
    assert retired.json()["state"] == "retired"
    assert client.get("/v1/search", params={"q": "Restart the router"}).json()["hits"] == []
    assert client.get("/v1/items/KB-1").status_code == 404


@pytest.mark.parametrize("role", [None, "customer", "agent"])
def test_readers_cannot_write(services: Services, client: TestClient, role: str | None) -> None:
    editor = bearer(services, "editor")
    client.post("/v1/items", json={**BODY, "publish": True}, headers=editor)
    headers = bearer(services, role) if role else {}
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("post", "/v1/items", {"json": BODY}),
        ("put", "/v1/items/KB-1", {"json": {**BODY, "based_on": 1}}),
        ("post", "/v1/items/KB-1/publish", {}),
        ("post", "/v1/items/KB-1/retire", {}),
        ("post", "/v1/ingest", {"files": {"file": ("a.md", b"# A")}, "data": {"name": "n"}}),
    ]
    for method, path, extra in calls:
        response = getattr(client, method)(path, headers=headers, **extra)
        assert (response.status_code, response.json()["code"]) == (403, "forbidden"), path


@pytest.mark.parametrize("header", ["Bearer nonsense", "Bearer ", "Basic abc", "", "Bearer aw_é"])
def test_a_bad_key_is_refused_rather_than_ignored(client: TestClient, header: str) -> None:
    response = client.get("/v1/search", params={"q": "x"}, headers={b"Authorization": header.encode()})
    assert (response.status_code, response.json()["code"]) == (401, "unauthenticated")
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/search", 422, "invalid_input"),
        ("/v1/search?q=", 422, "invalid_input"),
        ("/v1/search?q=%00%01", 422, "invalid_input"),
        ("/v1/search?q=x&limit=0", 422, "invalid_input"),
        ("/v1/search?q=x&limit=many", 422, "invalid_input"),
        ("/v1/search?q=x&mode=psychic", 422, "invalid_input"),
        ("/v1/search?q=x&space=nowhere", 404, "not_found"),
        ("/v1/items/KB-99", 404, "not_found"),
        ("/v1/items/..%2f..%2fetc", 404, "not_found"),
        ("/v1/items/1'%20OR%201=1", 422, "invalid_input"),
        ("/v1/nothing", 404, "not_found"),
    ],
)
def test_bad_requests_are_problem_details(client: TestClient, path: str, status: int, code: str) -> None:
    response = client.get(path)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.json()["detail"]


STRANGE = [
    "a" * 100_000,
    "套" * 100_000,
    "😀" * 1000,
    "'; DROP TABLE item; --",
    "<script>alert(1)</script>",
    "\u202eright to left\u0007 bell",
    "%s %d {} {0.__class__}",
    "-1e999 NaN null undefined",
    "..\\..\\windows\\win.ini",
    "a\u0300" * 5000,
]


@pytest.mark.parametrize("question", STRANGE, ids=range(len(STRANGE)))
def test_strange_questions_have_sane_answers(services: Services, client: TestClient, question: str) -> None:
    publish(services, client)
    for path in ("/v1/search", "/v1/answer", "/v1/answer/stream"):
        response = client.post(path, json={"q": question})
        assert response.status_code == 200, response.text
        if len(question) < 10_000:
            assert client.get(path, params={"q": question}).status_code == 200


def test_too_long_and_undecodable_questions_are_refused_plainly(client: TestClient) -> None:
    response = client.post("/v1/search", json={"q": "a" * 100_001})
    assert (response.status_code, response.json()["code"]) == (413, "too_large")
    assert client.get("/v1/search?q=%ED%A0%80%FF").status_code in (200, 422)


FIELDS = ["title", "body", "issue", "owner", "family", "lang", "products", "similar_questions"]
VALUES = ["<script>alert(1)</script>", "'; DROP TABLE item; --", "\ud800", "\0", "x" * 3_000_000]


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("value", VALUES, ids=["html", "sql", "surrogate", "nul", "long"])
def test_strange_fields_are_kept_or_refused(services: Services, client: TestClient, field: str, value: str) -> None:
    headers = {**bearer(services, "editor"), "Content-Type": "application/json"}
    many = field in ("products", "similar_questions")
    body = json.dumps({**BODY, field: [value] if many else value})
    response = client.post("/v1/items", content=body, headers=headers)
    assert response.status_code in (201, 413, 422), response.text
    if response.status_code == 201:
        assert client.get("/v1/items/KB-1", headers=headers).status_code == 200


def test_answers_come_in_bands_and_are_logged(services: Services, client: TestClient) -> None:
    publish(services, client)
    said = client.get("/v1/answer", params={"q": "Reset the router"}).json()
    assert said["band"] == "answer"
    assert "twelve seconds" in said["text"]
    assert said["text"].endswith("[1]")
    assert said["citations"][0]["item"] == "KB-1"
    quote = said["citations"][0]["quote"]
    assert quote in BODY["resolution"]
    assert said["citations"][0]["best"] is None  # all of a resolution answers
    services.events.flush()
    with services.db.read() as session:
        (event,) = session.exec(select(Event).where(Event.kind == EventKind.ANSWER)).all()
    assert (event.uid, event.text, event.data["band"]) == (said["id"], "Reset the router", "answer")
    assert event.data["citations"][0]["item"] == 1


def test_a_stream_begins_with_sources_and_ends_with_one_outcome(services: Services, client: TestClient) -> None:
    publish(services, client)
    for question, last in [("Reset the router", "answered"), ("qqq zzz 17", None)]:
        response = client.get("/v1/answer/stream", params={"q": question})
        assert response.headers["content-type"].startswith("text/event-stream")
        blocks = [block for block in response.text.split("\n\n") if block]
        lines = [block.split("\n") for block in blocks]
        events = [(a.removeprefix("event: "), json.loads(b.removeprefix("data: "))) for a, b in lines]
        names = [name for name, _ in events]
        assert names[0] == "sources"
        assert names[-1] in ("answered", "did_you_mean", "no_answer")
        assert sum(name in ("answered", "did_you_mean", "no_answer") for name in names) == 1
        assert last is None or names[-1] == last
        text = "".join(data["delta"] for name, data in events if name == "text")
        assert text == events[-1][1]["text"]


def test_an_upload_is_ingested(services: Services, client: TestClient) -> None:
    editor = bearer(services, "editor")
    file = ("guide.md", b"# Pair the remote\n\nHold Home and Back.\n")
    data = {"name": "guides", "audience": "public"}
    done = client.post(
        "/v1/ingest", headers=editor, params={"wait": "searchable"}, files={"file": file}, data=data
    ).json()
    assert (done["added"], done["failed"], done["searchable"]) == (1, [], True)
    assert client.get("/v1/search", params={"q": "Pair the remote"}).json()["hits"][0]["title"] == "Pair the remote"
    again = client.post("/v1/ingest", headers=editor, files={"file": file}, data=data).json()
    assert (again["added"], again["unchanged"]) == (0, 1)
    for name in ("", "..", "a/../..", "\0.md", "x" * 300 + ".md"):
        bad = client.post("/v1/ingest", headers=editor, files={"file": (name, b"# A")}, data={"name": "n"})
        assert bad.status_code in (200, 422), name


def test_health_readiness_metrics_and_description(services: Services, client: TestClient) -> None:
    assert client.get("/healthz").text == "ok\n"
    assert client.get("/readyz").json()["ready"] is True
    client.get("/v1/search", params={"q": "x"})
    metrics = client.get("/metrics").text
    assert 'answerwell_requests_total{method="GET",route="/v1/search",status="200"} ' in metrics
    assert "answerwell_index_passages 0.0" in metrics
    described = client.get("/v1/openapi.json").json()
    names = [op["operationId"] for path in described["paths"].values() for op in path.values() if "operationId" in op]
    assert len(names) == len(set(names))
    assert {"search", "answer", "stream_answer", "read_item", "create_item", "ingest"} <= set(names)
    assert "Problem" in described["components"]["schemas"]


def test_every_error_code_is_documented() -> None:

    import kb.errors

    def tree(kind: type[kb.errors.KBError]) -> set[str]:
        return {kind.code} | {code for child in kind.__subclasses__() for code in tree(child)}

    page = (Path(__file__).resolve().parents[2] / "docs" / "errors.md").read_text(encoding="utf-8")
    documented = {line.split("`")[1] for line in page.splitlines() if line.startswith("| `")}
    assert tree(kb.errors.KBError) == documented


def test_a_client_generator_accepts_the_description(client: TestClient, tmp_path: Path) -> None:
    generator = shutil.which("openapi-python-client", path=str(Path(sys.executable).parent))
    if generator is None:
        pytest.skip("openapi-python-client is not installed")
    (tmp_path / "openapi.json").write_bytes(client.get("/v1/openapi.json").content)
    (tmp_path / "config.yml").write_text("post_hooks: []\n", encoding="utf-8")
    options = "--path openapi.json --config config.yml --meta none --output-path made --fail-on-warning".split()
    made = subprocess.run(
        [generator, "generate", *options],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    files = list((tmp_path / "made").rglob("*.py"))
    assert len(files) > 20
    for file in files:
        compile(file.read_text(encoding="utf-8"), str(file), "exec")
