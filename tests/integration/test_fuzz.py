"""A small run of what `python -m tests.fuzz --requests 20000` does in full."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.services import Services, open_services
from kb import editorial, keys
from kb.access import SYSTEM, Role
from kb.content import Content, Profile
from kb.settings import Settings
from tests import fuzz
from tests.fakes import fake


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Services]:
    with open_services(Settings(data=tmp_path), load=fake) as opened:
        yield opened


def test_the_api_keeps_to_its_description_whatever_is_asked(here: Services) -> None:
    outcome = fuzz.Outcome()
    fuzz.run(here, 500, seed=1, outcome=outcome)
    assert not outcome.faults, "\n".join(outcome.faults.values())
    assert outcome.requests >= 500
    assert {200, 401, 403, 404, 422} <= outcome.in_all.keys(), "too little of the API was reached"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/items/KB-1/revisions/36994909969630359453696", None),
        ("GET", "/v1/items/KB-1/diff?old=9223372036854775808", None),
        ("POST", "/v1/items/KB-1/submit", {"expires_at": "9999-12-31T23:59:59-14:00"}),
        ("POST", "/v1/items/KB-1/submit", {"expires_at": "0001-01-01T00:00:00Z"}),
        ("PUT", "/v1/items/KB-1/schedule/publish", {"at": "0001-01-01T00:00:00+14:00"}),
    ],
)
def test_numbers_and_moments_beyond_what_a_database_keeps_are_refused(
    here: Services, method: str, path: str, body: dict[str, str] | None
) -> None:
    with here.db.write() as session:
        editorial.create(session, Content(title="Reset the router"), Profile(), actor=SYSTEM)
        secret = keys.add(session, "admin", Role.ADMIN, actor=SYSTEM)
    with TestClient(create_app(here), headers={"Authorization": f"Bearer {secret}"}) as client:
        answer = client.request(method, path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input"), answer.text
