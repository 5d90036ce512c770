"""Sections for some versions or platforms: shown, found and answered from only where they apply."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.services import Services
from kb import editorial
from kb.access import ANONYMOUS, SYSTEM
from kb.content import Content, Profile, labels
from kb.models import Audience
from retrieval.types import Filters

RESOLUTION = """Save your work.

::: for version=7.4 platform=Windows
To install the driver, run setup and press the blue key.
:::

::: for version=8.1 platform=macOS
To install the driver, open the package and press the green key.
:::

Restart the pump."""


@pytest.fixture
def client(services: Services) -> Iterator[TestClient]:
    with services.db.write() as session:
        item, revision = editorial.create(
            session,
            Content(title="Install the driver", resolution=RESOLUTION),
            Profile(audience=Audience.PUBLIC, labels=labels(products=["pump"], versions=["7.4", "8.1"])),
            actor=SYSTEM,
        )
        editorial.publish(session, item, revision, actor=SYSTEM)
    services.indexer.catch_up()
    with TestClient(create_app(services), raise_server_exceptions=False) as opened:
        yield opened


@pytest.mark.parametrize(("version", "own", "other"), [("7.4", "blue", "green"), ("8.1", "green", "blue")])
def test_a_filter_leaves_out_what_does_not_apply(
    services: Services, client: TestClient, version: str, own: str, other: str
) -> None:
    found = services.searcher.search(
        "press the key to install the driver",
        reader=ANONYMOUS,
        filters=Filters(labels={"version": frozenset({version})}),
    )
    said = [passage.text for hit in found.hits for passage in (hit.found, *hit.others)]
    assert any(own in text for text in said)
    assert not any(other in text for text in said)
    answer = client.get("/v1/answer", params={"q": f"which {own} key installs the driver", "version": version}).json()
    assert other not in answer["text"]


@pytest.mark.parametrize(("platform", "own"), [("Windows 11", "blue"), ("macOS 14", "green")])
def test_an_environment_prefers_what_applies_and_leaves_out_nothing(
    client: TestClient, platform: str, own: str
) -> None:
    asked = {"q": "press the key to install the driver", "environment": platform}
    hit = client.get("/v1/search", params=asked).json()["hits"][0]
    assert own in hit["passage"]
    assert hit["applies_to"]["platform"] == [platform.split()[0]]
    assert platform.lower() in hit["environment"]


def test_the_page_shows_what_applies_and_names_what_it_is_for(client: TestClient) -> None:
    page = client.get("/a/KB-1-install-the-driver").text
    assert "For version 7.4 · Windows" in page
    assert "green" in page
    assert ":::" not in page
    picked = client.get("/a/KB-1?platform=windows").text
    assert "blue" in picked
    assert "green" not in picked
    assert "Restart the pump" in picked
    assert "适用于版本7.4 · Windows" in client.get("/a/KB-1?hl=zh&version=7.4").text


def test_what_cannot_be_understood_is_refused_with_its_line(services: Services, client: TestClient) -> None:
    from kb import keys

    with services.db.write() as session:
        secret = keys.add(session, "w", "contributor", actor=SYSTEM)
    body = {"title": "t", "resolution": "a\n::: for platform=x\nb"}
    answer = client.post("/v1/items", json=body, headers={"Authorization": f"Bearer {secret}"})
    assert (answer.status_code, answer.json()["field"]) == (422, "resolution")
    assert "line 2 is not closed" in answer.json()["detail"]
