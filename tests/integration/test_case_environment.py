"""A case by its issue and environment: what names the same version rises and says so, nothing closed is told."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from api.app import create_app
from api.cli import app
from api.services import Services
from kb import editorial
from kb.access import ANONYMOUS, SYSTEM, Principal, Role
from kb.content import Content, Profile, labels
from kb.models import Audience

AGENT = Principal(role=Role.AGENT)


@pytest.fixture
def filled(services: Services) -> Services:
    """Two articles that say the same for two versions, one for agents alone, one that names nothing."""
    with services.db.write() as session:
        for version, audience in (("7.4", "public"), ("8.1", "public"), ("9.0", "internal"), ("", "public")):
            item, revision = editorial.create(
                session,
                Content(title=f"The pump stops {version}".strip(), resolution="Hold the lever for ten seconds."),
                Profile(
                    audience=Audience(audience),
                    labels=labels(products=["pump"] if version else [], versions=[version] if version else []),
                ),
                actor=SYSTEM,
            )
            editorial.publish(session, item, revision, actor=SYSTEM)
    services.indexer.catch_up()
    return services


@pytest.fixture
def client(filled: Services) -> Iterator[TestClient]:
    with TestClient(create_app(filled), raise_server_exceptions=False) as opened:
        yield opened


@pytest.mark.parametrize(("version", "first"), [("7.4", "KB-1"), ("8.1", "KB-2")])
def test_the_same_version_is_first_and_another_is_no_filter(filled: Services, version: str, first: str) -> None:
    found = filled.searcher.search("my pump has stopped", reader=ANONYMOUS, environment=f"Pump {version}")
    assert found.hits[0].found.number == first
    assert found.hits[0].environment == (f"pump {version}",)
    assert {hit.found.number for hit in found.hits} == {"KB-1", "KB-2", "KB-4"}, "a boost, no filter"
    assert {hit.environment for hit in found.hits[1:]} == {()}
    assert found.question == "my pump has stopped"


def test_an_exact_title_stays_first(filled: Services) -> None:
    found = filled.searcher.search("The pump stops 8.1", reader=ANONYMOUS, environment="Pump 7.4")
    assert found.hits[0].found.number == "KB-2"


def test_nothing_is_told_of_what_may_not_be_read(filled: Services) -> None:
    found = filled.searcher.search("my pump stops", reader=ANONYMOUS, environment="Pump 9.0")
    assert "KB-3" not in {hit.found.number for hit in found.hits}
    assert {hit.environment for hit in found.hits} == {()}
    assert filled.searcher.search("my pump stops", reader=AGENT, environment="Pump 9.0").hits[0].found.number == "KB-3"


def test_over_http_and_at_the_command_line(client: TestClient) -> None:
    got = client.get("/v1/search", params={"q": "pump stopped", "environment": "pump 8.1"}).json()
    sent = client.post("/v1/search", json={"q": "pump stopped", "environment": "pump 8.1"}).json()
    assert (got["hits"][0]["item"], got["hits"][0]["environment"]) == ("KB-2", ["pump 8.1"])
    assert got["hits"] == sent["hits"]
    assert client.get("/v1/search", params={"q": "pump stopped"}).json()["hits"][0]["environment"] == []
    body = {"q": "The pump stops 8.1", "environment": "pump 8.1"}
    assert client.post("/v1/answer", json=body).json()["citations"][0]["item"] == "KB-2"
    assert "KB-2" in client.post("/v1/answer/stream", json=body).text
    for path in ("/v1/search", "/v1/answer", "/v1/answer/stream"):
        answer = client.post(path, json={"q": "a", "environment": "x" * 2001})
        assert (answer.status_code, answer.json()["field"]) == (413, "environment"), path


def test_the_command_line_refuses_too_long_an_environment(tmp_path_factory: pytest.TempPathFactory) -> None:
    result = CliRunner().invoke(app, ["search", "--help"])
    assert "--environment" in result.output
