"""Accounts: who may give which right, links that open once, sessions, guessing, and what the audit log keeps of it."""

from collections.abc import Callable
from datetime import timedelta
from itertools import combinations, product

import pytest
from sqlmodel import Session, col, select

from kb import accounts, attempts, audit, browser_sessions, editorial, keys, spaces
from kb.access import SYSTEM, Grant, Permission, Principal, Role, admits, no_wider, scope_of
from kb.content import Content, Profile
from kb.db import Database
from kb.errors import Conflict, Forbidden, InvalidInput, NotFound, TooManyAttempts, Unauthenticated
from kb.models import Account, Audience, BrowserSession, FailedAttempts, OneTimeToken, TokenPurpose, now

PASSWORD = "four plain words here"
KEY = "00" * 32
LIFE = timedelta(days=1)


def tree(session: Session) -> dict[str, int]:
    """Make lake > northshore, and harbour beside them; return ids by key."""
    spaces.add(session, "lake", name="Lake")
    spaces.add(session, "northshore", name="Northshore", parent="lake")
    spaces.add(session, "harbour", name="Harbour")
    return {space.key: int(space.id or 0) for space in spaces.all_spaces(session)}


def person(session: Session, email: str, role: str, space: int | None = None) -> Principal:
    account, _ = accounts.add(session, email, actor=SYSTEM, role=role, space_id=space, password=PASSWORD)
    return accounts.known(session, account).principal


def sign_in(db: Database, email: str, password: str = PASSWORD, address: str = "192.0.2.1") -> str:
    return browser_sessions.sign_in(db, KEY, email, password, address=address, device="a browser", life=LIFE)


def test_a_role_holds_in_its_space_and_below(db: Database) -> None:
    with db.write() as session:
        ids = tree(session)
        ana = person(session, "Ana@Example.org ", "agent")
        account = accounts.get(session, "ana@example.org")
        accounts.grant(session, account, "editor", ids["lake"], actor=SYSTEM)
        ana = accounts.known(session, account).principal
        assert (ana.role, ana.space, ana.also) == (Role.EDITOR, ids["lake"], frozenset({Grant(Role.AGENT)}))
        assert {key: ana.role_in(session, ids[key]).value for key in ids} == {
            "main": "agent",
            "lake": "editor",
            "northshore": "editor",
            "harbour": "agent",
        }
        assert ana.spaces_of(session, Role.EDITOR) == frozenset({ids["lake"], ids["northshore"]})
        assert ana.spaces_of(session, Role.AGENT) is None
        profile = Profile(audience=Audience.PUBLIC)
        editorial.create(session, Content(title="in reach"), profile, actor=ana, space_id=ids["northshore"])
        with pytest.raises(Forbidden, match=r"'contributor'.*'harbour'.*'agent'"):
            editorial.create(session, Content(title="out of reach"), profile, actor=ana, space_id=ids["harbour"])


def test_drafts_are_seen_where_one_writes_and_nowhere_else(db: Database) -> None:
    with db.write() as session:
        ids = tree(session)
        writer = Principal(role=Role.CONTRIBUTOR, space=ids["lake"])
        scope = scope_of(session, writer)

        def sees(space: str, *, published: bool) -> bool:
            return scope.allows(audience="internal", space=ids[space], groups=(), published=published)

        assert {key for key in ids if sees(key, published=False)} == {"lake", "northshore"}
        assert {key for key in ids if sees(key, published=True)} == {"main", "lake", "northshore"}
        assert not scope.published_only().allows(audience="internal", space=ids["lake"], groups=(), published=False)


@pytest.mark.parametrize(
    ("mine", "wanted", "expected"),
    [
        ((), (), True),
        ((), ("gold",), False),
        (("gold",), ("gold", "silver"), True),
        (("plan:gold",), ("plan:gold", "plan:silver"), True),
        (("plan:gold",), ("plan:gold", "product:router"), False),
        (("plan:gold", "product:router"), ("plan:gold", "product:router"), True),
        (("plan:gold", "product:router"), ("plan:gold", "product:router", "legal"), False),
        (("plan:*",), ("plan:gold",), True),
        (("plan:*",), ("product:router",), False),
        (("PLAN:gold",), ("plan:gold",), False),
    ],
)
def test_an_entitlement_of_each_kind_is_needed(mine: tuple[str, ...], wanted: tuple[str, ...], expected: bool) -> None:
    assert admits(mine, wanted) is expected


KINDS = ("legal", "support", "plan:gold", "plan:silver", "product:tv")


def test_no_wider_is_what_admitting_says() -> None:
    sets = [frozenset(some) for size in range(4) for some in combinations(KINDS, size)]
    readers = [frozenset(some) for size in range(len(KINDS) + 1) for some in combinations(KINDS, size)]
    for mine, theirs in product(sets, sets):
        said = all(admits(reader, theirs) for reader in readers if admits(reader, mine))
        assert no_wider(mine, theirs) is said, (mine, theirs)


def test_nobody_gives_what_they_do_not_have(db: Database) -> None:
    with db.write() as session:
        ids = tree(session)
        boss = person(session, "boss@example.org", "admin")
        local = person(session, "local@example.org", "admin", ids["lake"])
        editor = person(session, "editor@example.org", "editor")
        accounts.add(session, "new@example.org", actor=local, role="agent", space_id=ids["northshore"])
        for space in (None, ids["main"], ids["harbour"]):
            with pytest.raises(Forbidden):
                accounts.add(session, f"x{space}@example.org", actor=local, role="customer", space_id=space)
            with pytest.raises(Forbidden):
                keys.add(session, f"key {space}", "agent", actor=local, space_id=space)
        doings: list[Callable[[], object]] = [
            lambda: accounts.add(session, "y@example.org", actor=editor, role="customer"),
            lambda: keys.add(session, "y", "customer", actor=editor),
            lambda: accounts.listing(session, actor=editor),
            lambda: keys.listing(session, actor=editor),
            lambda: audit.rows(session, editor),
            lambda: spaces.add(session, "y", name="Y", actor=editor),
        ]
        for doing in doings:
            with pytest.raises(Forbidden, match="'admin'"):
                doing()
        with pytest.raises(Forbidden):
            spaces.add(session, "bay", name="Bay", parent="harbour", actor=local)
        spaces.add(session, "bay", name="Bay", parent="lake", actor=local)
        assert boss.role is Role.ADMIN


def test_an_admin_of_one_space_cannot_take_an_account_of_others_over(db: Database) -> None:
    with db.write() as session:
        ids = tree(session)
        local = person(session, "local@example.org", "admin", ids["lake"])
        person(session, "boss@example.org", "admin")
        boss = accounts.get(session, "boss@example.org")
        accounts.grant(session, boss, "agent", ids["lake"], actor=local)  # a role in its own space it may give
        with pytest.raises(Forbidden):
            accounts.reset(session, boss, actor=local)
        with pytest.raises(Forbidden):
            accounts.disable(session, boss, actor=local)
        with pytest.raises(Forbidden):
            accounts.enable(session, boss, actor=local)
        with pytest.raises(Forbidden):
            accounts.set_groups(session, boss, ["gold"], actor=local)
        accounts.revoke(session, boss, ids["lake"], actor=local)
        with pytest.raises(Forbidden):
            accounts.revoke(session, boss, None, actor=local)
        assert [account.email for account in accounts.listing(session, actor=local)] == ["local@example.org"]
        accounts.add(session, "below@example.org", actor=local, role="agent", space_id=ids["northshore"])
        accounts.disable(session, accounts.get(session, "below@example.org"), actor=local)


def test_the_last_admin_stays(db: Database) -> None:
    with db.write() as session:
        person(session, "one@example.org", "admin")
        one = accounts.get(session, "one@example.org")
        doings: list[Callable[[], object]] = [
            lambda: accounts.grant(session, one, "editor", None, actor=SYSTEM),
            lambda: accounts.revoke(session, one, None, actor=SYSTEM),
            lambda: accounts.disable(session, one, actor=SYSTEM),
        ]
        for doing in doings:
            with pytest.raises(Conflict, match="last admin"):
                doing()
        person(session, "two@example.org", "admin")
        accounts.disable(session, one, actor=SYSTEM)


def test_links_open_once_and_only_for_a_while(db: Database) -> None:
    with db.write() as session:
        account, secret = accounts.add(session, "ana@example.org", actor=SYSTEM, role="customer")
        assert secret is not None
        renewed = accounts.invite(session, account, actor=SYSTEM)
        with pytest.raises(Unauthenticated):
            accounts.accept(session, secret, PASSWORD)
        with pytest.raises(InvalidInput, match="12 to 256"):
            accounts.accept(session, renewed, "short")
        with pytest.raises(InvalidInput, match="easy"):
            accounts.accept(session, renewed, "ana@example.org1")
        accounts.accept(session, renewed, PASSWORD, name="Ana")
        with pytest.raises(Unauthenticated):
            accounts.accept(session, renewed, PASSWORD)
        with pytest.raises(Conflict, match="active"):
            accounts.invite(session, account, actor=SYSTEM)
        late = accounts.reset(session, account, actor=SYSTEM)
        token = session.exec(select(OneTimeToken)).one()
        assert late not in token.token_hash
        token.expires_at = now() - timedelta(seconds=1)
        session.add(token)
        session.flush()
        with pytest.raises(Unauthenticated):
            accounts.opened(session, late, TokenPurpose.RESET)
    assert sign_in(db, "ANA@example.org")


def test_the_first_admin_is_made_once(db: Database) -> None:
    with db.write() as session:
        first, second = accounts.setup(session), accounts.setup(session)
        assert first is not None
        assert second is not None
        account = accounts.accept(session, first, PASSWORD, email="boss@example.org", name="Boss")
        assert accounts.known(session, account).principal.role is Role.ADMIN
        assert accounts.setup(session) is None
        with pytest.raises(Unauthenticated):
            accounts.accept(session, second, PASSWORD, email="other@example.org")


def test_signing_in_out_and_everywhere(db: Database) -> None:
    with db.write() as session:
        person(session, "ana@example.org", "agent")
    here, there = sign_in(db, "ana@example.org"), sign_in(db, "ana@example.org")
    with db.read() as session:
        found = browser_sessions.find(session, here)
        assert found is not None
        assert (found.principal.role, found.principal.subject) == (Role.AGENT, "ana@example.org")
        assert {row.id_hash for row in session.exec(select(BrowserSession))}.isdisjoint({here, there})
    with db.write() as session:
        browser_sessions.end(session, here)
    with db.read() as session:
        assert browser_sessions.find(session, here) is None
        assert browser_sessions.find(session, there) is not None
    with pytest.raises(Unauthenticated, match="present password"):
        browser_sessions.change_password(db, found.principal, "wrong", "another plain sentence", key=KEY)
    browser_sessions.change_password(db, found.principal, PASSWORD, "another plain sentence", key=KEY)
    with db.read() as session:
        assert browser_sessions.find(session, there) is None, "another password ends all sessions"
    with pytest.raises(Unauthenticated):
        sign_in(db, "ana@example.org")
    last = sign_in(db, "ana@example.org", "another plain sentence")
    with db.write() as session:
        person(session, "boss@example.org", "admin")
        accounts.disable(session, accounts.get(session, "ana@example.org"), actor=SYSTEM)
        assert browser_sessions.find(session, last) is None, "a disabled account is out at once"
    with pytest.raises(Unauthenticated):
        sign_in(db, "ana@example.org", "another plain sentence")


def test_guessing_is_slowed_down_by_name_and_by_address(db: Database) -> None:
    with db.write() as session:
        person(session, "ana@example.org", "agent")
    for number in range(attempts.MOST_FOR_NAME):
        with pytest.raises(Unauthenticated):
            sign_in(db, "ana@example.org", "wrong", f"192.0.2.{number}")
    with pytest.raises(TooManyAttempts) as refused:
        sign_in(db, "ana@example.org", PASSWORD, "192.0.2.99")
    assert 0 < refused.value.wait <= attempts.WINDOW.total_seconds() + 1
    for number in range(attempts.MOST_FOR_ADDRESS):
        with pytest.raises(Unauthenticated):
            sign_in(db, f"nobody{number}@example.org", "wrong", "198.51.100.7")
    with pytest.raises(TooManyAttempts):
        sign_in(db, "somebody@example.org", "wrong", "198.51.100.7")
    with db.write() as session:
        for row in session.exec(select(FailedAttempts)):
            assert "ana" not in row.key
            row.since = now() - attempts.WINDOW - timedelta(seconds=1)
            session.add(row)
    assert sign_in(db, "ana@example.org")
    with db.read() as session:
        assert [row.failures for row in session.exec(select(FailedAttempts))] == [0], "a success is no failure"


def test_every_change_of_a_right_or_of_content_is_kept(db: Database) -> None:
    with db.write() as session:
        ids = tree(session)
        boss = person(session, "boss@example.org", "admin")
        account, _ = accounts.add(session, "ana@example.org", actor=boss, role="agent", space_id=ids["lake"])
        accounts.grant(session, account, "editor", ids["lake"], actor=boss)
        accounts.set_groups(session, account, ["plan:gold"], actor=boss)
        secret = keys.add(session, "desk", "agent", actor=boss, permissions=["read"])
        item, revision = editorial.create(session, Content(title="A"), Profile(), actor=boss)
        editorial.publish(session, item, revision, actor=boss)
        editorial.reprofile(session, item, Profile(audience=Audience.PUBLIC), actor=boss)
        editorial.reprofile(session, item, Profile(audience=Audience.PUBLIC), actor=boss)
        editorial.retire(session, item, actor=boss)
    with db.read() as session:
        found = audit.rows(session, SYSTEM, actor="boss@example.org")
        assert [row.action for row in reversed(found)] == [
            "account.add",
            "account.grant",
            "account.grant",
            "account.groups",
            "key.add",
            "item.create",
            "item.publish",
            "item.profile",
            "item.retire",
        ], "what changes nothing leaves no row"
        grants = [row for row in reversed(found) if row.action == "account.grant"]
        assert [(row.before, row.after) for row in grants] == [
            ({}, {"role": "agent"}),
            ({"role": "agent"}, {"role": "editor"}),
        ]
        widened = next(row for row in found if row.action == "item.profile")
        assert (widened.before, widened.after) == ({"audience": "internal"}, {"audience": "public"})
        assert secret not in repr([row.model_dump() for row in found])
        assert audit.rows(session, SYSTEM, target="KB-1")[0].action == "item.retire"
        local = Principal(role=Role.ADMIN, space=ids["lake"])
        assert {row.space_id for row in audit.rows(session, local)} == {ids["lake"], ids["northshore"]}


def test_a_key_is_for_what_it_was_made_for(db: Database) -> None:
    with db.write() as session:
        secret = keys.add(session, "panel", "agent", actor=SYSTEM, permissions=["read", "events"])
        assert keys.principal(session, secret).permissions == frozenset({Permission.READ, Permission.EVENTS})
        with pytest.raises(InvalidInput, match="would open nothing"):
            keys.add(session, "y", "agent", actor=SYSTEM, permissions=[])
        with pytest.raises(InvalidInput, match="'everything'"):
            keys.add(session, "x", "agent", actor=SYSTEM, permissions=["everything"])
        with pytest.raises(NotFound):
            keys.revoke(session, "nothing", actor=SYSTEM)


@pytest.mark.parametrize("email", ["", "ana", "ana@", "a b@x.org", "key:ana@x.org", "a@b@c", "ana@ex\u0000ample"])
def test_addresses_that_cannot_be(sqlite: Database, email: str) -> None:
    with sqlite.write() as session, pytest.raises(InvalidInput):
        accounts.add(session, email, actor=SYSTEM, role="agent")


def test_an_address_is_taken_once_whatever_its_case(sqlite: Database) -> None:
    with sqlite.write() as session:
        person(session, "ana@example.org", "agent")
        with pytest.raises(Conflict, match=r"ana@example\.org"):
            accounts.add(session, "ANA@EXAMPLE.ORG", actor=SYSTEM, role="agent")
        assert len(session.exec(select(Account).where(col(Account.email) == "ana@example.org")).all()) == 1


def test_each_role_may_do_what_those_before_it_may() -> None:
    for lower, higher in product(Role, Role):
        assert Principal(role=higher).at_least(lower) == (higher.rank >= lower.rank)
