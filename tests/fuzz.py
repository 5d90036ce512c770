"""The whole API asked what its description allows and what it does not: python -m tests.fuzz --requests 20000

Schemathesis makes requests from /v1/openapi.json; most of them name what is really there. Every role asks in turn, the
lowest first. No answer may be a failure of the server, differ from its description, or show what the role may not read;
and who may not write leaves everything as it was.
"""

import argparse
import contextlib
import functools
import logging
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import hypothesis
import schemathesis
from hypothesis import HealthCheck, Phase
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.python.asgi import get_client
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from sqlalchemy import func
from sqlmodel import select

from api.app import create_app
from api.services import Services, open_services
from kb import accounts, editorial, keys, spaces
from kb.access import SYSTEM, Role
from kb.content import Content, Profile, labels
from kb.models import Account, ApiKey, Audience, AuditRow, Item, Kind, Revision
from kb.settings import Settings
from tests.fakes import fake

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
INTERNAL, DRAFT, ELSEWHERE = "zqinternal", "zqdraft", "zqelsewhere"
SEEN_FROM: dict[str, Role | None] = {INTERNAL: Role.AGENT, DRAFT: Role.CONTRIBUTOR, ELSEWHERE: None}
"""The least role in the space `lake` that may see each word; None: no role of that space."""

NUMBERS = [*(f"KB-{n}" for n in range(1, 14)), "KB-0", "KB-99999999999999999999", "1"]
TEXTS = ["reset the router", "重置路由器", "KB-1", "invoice?", "\x00", "a " * 3000]
MOMENTS = ["2099-01-01T00:00:00Z", "2001-01-01T00:00:00+08:00", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00Z"]
PLAUSIBLE: dict[str, list[Any]] = {
    "key": ["KB-1", "KB-2", "KB-7", "new-1", "new-2"],
    "email": ["ana@example.org", "bo@example.org", "nobody@example.org"],
    "name": ["a-key", "another"],
    "role": [role.value for role in Role],
    "audience": [audience.value for audience in Audience],
    "kind": [*(kind.value for kind in Kind), "link", "dismiss"],
    "state": ["open", "not_duplicate", "merged", "published", "draft"],
    "action": ["publish", "retire", "submit", "add_label", "remove_label", "owner", "audience"],
    "facet": ["product", "version", "topic", "group"],
    "permissions": ["read", "events", "write", "ingest", "admin"],
    "link": ["used", "created", "reference"],
    "groups": ["gold", "plan:gold"],
    "confidence": ["validated", "not_validated"],
    "governance": ["experience_based", "compliance_based"],
    "lang": ["en", "zh"],
    "url": [None, "https://example.org/a"],
    **dict.fromkeys(("item", "into", "items", "external_id"), NUMBERS),
    **dict.fromkeys(("q", "question", "title", "text", "answer"), TEXTS),
    **dict.fromkeys(("at", "review_at", "expires_at", "due"), MOMENTS),
    **{name: ["lake", "shore", "harbour", "main"] for name in ("space", "parent")},
    **{name: [None, "ana"] for name in ("family", "owner")},
    **{name: [1, 2, 3] for name in ("based_on", "revision", "n", "number", "old", "new", "version")},
}
"""Values that are there, or are one of those there are, by the name of the parameter or field."""


@dataclass
class Outcome:
    """What was asked, and what was wrong."""

    tell: Callable[[str], object] = str
    statuses: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    """How often each operation was answered so."""
    faults: dict[tuple[str, ...], str] = field(default_factory=dict)
    """The first of each kind."""

    @property
    def requests(self) -> int:
        return sum(counted.total() for counted in self.statuses.values())

    @property
    def in_all(self) -> Counter[int]:
        """How often anything was answered so."""
        return sum(self.statuses.values(), Counter())

    @property
    def never_done(self) -> list[str]:
        """The operations that nobody was able to do."""
        return [label for label, counted in self.statuses.items() if min(counted) >= 400]

    def fault(self, *kind: str, told: str) -> None:
        """Keep what is wrong, and tell it, if it is the first of its kind."""
        if kind not in self.faults:
            self.faults[kind] = told
            self.tell(told)


def fill(services: Services) -> None:
    """Put items of several kinds and states into the knowledge base, with words that say who may see them."""
    with services.db.write() as session:
        places = {key: spaces.add(session, key, name=key.title()).id for key in ("lake", "harbour")}
        places["shore"] = spaces.add(session, "shore", name="Shore", parent="lake").id
        for title, kind, audience, space, published in (
            ("Reset the router", Kind.ARTICLE, Audience.PUBLIC, "lake", True),
            ("重置路由器", Kind.ARTICLE, Audience.PUBLIC, "lake", True),
            ("Pay an invoice", Kind.CASE, Audience.CUSTOMER, "shore", True),
            (f"Reset {INTERNAL} router", Kind.ARTICLE, Audience.INTERNAL, "lake", True),
            (f"Invoice {INTERNAL} rebate", Kind.LESSON, Audience.INTERNAL, "shore", True),
            (f"Reset {DRAFT} router", Kind.ARTICLE, Audience.PUBLIC, "lake", False),
            (f"Draft {DRAFT} too", Kind.ARTICLE, Audience.INTERNAL, "shore", False),
            (f"Reset {ELSEWHERE} router", Kind.ARTICLE, Audience.INTERNAL, "harbour", True),
            (f"Pay {ELSEWHERE} invoice", Kind.ARTICLE, Audience.PUBLIC, "harbour", False),
        ):
            body = f"{title}: hold the button for twelve seconds."
            item, revision = editorial.create(
                session,
                Content(title=title, body=body, similar_questions=(f"{title}?",)),
                Profile(kind=kind, audience=audience, labels=labels(products=["fibrebox"], topics=[title])),
                actor=SYSTEM,
                space_id=places[space],
            )
            if published:
                editorial.publish(session, item, revision, actor=SYSTEM)
        for name, space in (("ana", "lake"), ("bo", "harbour")):
            accounts.add(session, f"{name}@example.org", actor=SYSTEM, role="agent", space_id=places[space])
        keys.add(session, "a-key", Role.CUSTOMER, actor=SYSTEM, space_id=places["lake"])
    services.indexer.catch_up()


def run(services: Services, requests: int, seed: int, outcome: Outcome, only: str = "") -> None:
    """Ask at least so many times in all, every operation (`only`: those with this in their path) by every role in the
    space `lake`."""
    fill(services)
    app = create_app(services)
    schema = schemathesis.openapi.from_asgi("/v1/openapi.json", app)
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    operations = [operation for operation in operations if only in operation.label]
    each = -(-requests // (len(operations) * len(Role)))
    with get_client(cast(Any, app)) as client:
        for role in Role:
            client.headers.clear()
            client.headers.update(_headers(services, role))
            before = _written(services)
            for operation in operations:
                _ask(operation, client, role, each, seed, outcome)
            if role.rank < Role.CONTRIBUTOR.rank and _written(services) != before:
                outcome.fault("written", told=f"{role} changed something: {before} became {_written(services)}")
            outcome.tell(f"{role}: {outcome.requests} requests so far, {len(outcome.faults)} kinds of fault\n")


def _ask(operation: Any, client: Any, role: Role, count: int, seed: int, outcome: Outcome) -> None:
    """Make `count` requests of one operation, three of four as described, the others against the description."""

    rng = random.Random(f"{seed} {role} {operation.label}")

    def ask(case: Any) -> None:
        _name(case, rng)
        label, sent = operation.label, case.as_curl_command()
        try:
            response = case.call(session=client)
        except Exception as error:  # what the application raises comes out here as it is, in place of its answer
            outcome.statuses[label][500] += 1
            outcome.fault(label, type(error).__name__, told=f"{role} {label}: {error!r}\n{sent}\n")
            return
        outcome.statuses[label][int(response.status_code)] += 1
        told = f"{role} {label}: {response.status_code}"
        for word, least in SEEN_FROM.items():
            if word in response.text and (least is None or role.rank < least.rank):
                outcome.fault(label, word, told=f"{told} shows {word}\n{sent}\n{response.text[:600]}\n")
        try:
            case.validate_response(response, checks=CHECKS)
        except FailureGroup as group:
            for failure in group.exceptions:
                kind = label, type(failure).__name__, str(int(response.status_code))
                outcome.fault(*kind, told=f"{told} {failure}\n{sent}\n{response.text[:600]}\n")

    against = (count + 2) // 4
    for mode, share in ((GenerationMode.POSITIVE, count - against), (GenerationMode.NEGATIVE, against)):
        if share == 0:
            continue
        few = hypothesis.settings(
            max_examples=share,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        cases = operation.as_strategy(mode)
        seeded = cast(Any, hypothesis.seed)(f"{seed} {role} {mode} {operation.label}")
        asked = seeded(few(cast(Any, hypothesis.given)(cases)(ask)))
        with contextlib.suppress(Unsatisfiable):  # nothing about it can be against the description
            asked()


def _name(case: Any, rng: random.Random) -> None:
    """Replace most values of a case by plausible ones."""
    for part in (case.path_parameters, case.query, case.body):
        if isinstance(part, dict):
            _replace(part, rng)


def _replace(fields: dict[str, Any], rng: random.Random) -> None:
    for name, value in fields.items():
        if isinstance(value, dict):
            _replace(value, rng)
        elif name in PLAUSIBLE and rng.random() < 0.8:
            chosen = rng.choice(PLAUSIBLE[name])
            fields[name] = [chosen] if isinstance(value, list) else chosen


def _headers(services: Services, role: Role) -> Mapping[str, str]:
    if role is Role.ANONYMOUS:
        return {}
    with services.db.write() as session:
        lake = spaces.by_key(session, "lake").id
        secret = keys.add(session, f"the fuzzer's {role}", role, actor=SYSTEM, space_id=lake)
    return {"Authorization": f"Bearer {secret}"}


def _written(services: Services) -> list[int]:
    """Return how much there is of what who may not write leaves as it is."""
    with services.db.read() as session:
        tables = (Item, Revision, Account, ApiKey)
        told = select(func.count()).select_from(AuditRow).where(AuditRow.action != "item.flag")  # any reader may report
        return [
            *(session.exec(select(func.count()).select_from(table)).one() for table in tables),
            session.exec(told).one(),
        ]


def main() -> int:
    """Read the command line, ask, print what was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=20261125)
    parser.add_argument("--only", default="", help="Ask only operations with this in method and path.")
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)
    started = time.monotonic()
    outcome = Outcome(tell=functools.partial(print, flush=True))
    with tempfile.TemporaryDirectory(prefix="answerwell-fuzz-") as folder:
        with open_services(Settings(data=Path(folder)), load=fake) as services:
            run(services, given.requests, given.seed, outcome, given.only)
    sys.stdout.write(
        f"{outcome.requests} requests in {time.monotonic() - started:.0f} s, answered "
        f"{', '.join(f'{status}: {count}' for status, count in sorted(outcome.in_all.items()))}; "
        f"never done: {', '.join(outcome.never_done) or 'nothing'}; {len(outcome.faults)} kinds of fault\n"
    )
    return 1 if outcome.faults else 0


if __name__ == "__main__":
    sys.exit(main())
