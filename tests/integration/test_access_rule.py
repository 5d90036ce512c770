"""The one access rule says the same in SQL and for an item in hand, for every kind of reader."""

from itertools import product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import col, select

from kb import editorial, items, spaces
from kb.access import SYSTEM, Grant, Principal, Role, Scope, readable, scope_of
from kb.content import Content, Profile, labels
from kb.db import Database
from kb.errors import Forbidden, InvalidInput, NotFound
from kb.models import Audience, Facet, Item, State

GROUPS: tuple[tuple[str, ...], ...] = ((), ("gold",), ("gold", "silver"), ("plan:a", "product:tv"), ("plan:b", "gold"))
SPACES = ("main", "lake", "northshore", "harbour")


def one_of_each(db: Database) -> None:
    """Fill a knowledge base with an item of every audience, space, group set and state."""
    with db.write() as session:
        spaces.add(session, "lake", name="Lake")
        spaces.add(session, "northshore", name="Northshore", parent="lake")
        spaces.add(session, "harbour", name="Harbour")
        for audience, space, groups, state in product(Audience, SPACES, GROUPS, State):
            item, revision = editorial.create(
                session,
                Content(title=f"{audience} {space} {groups} {state}"),
                Profile(audience=audience, labels=labels(groups=list(groups))),
                actor=SYSTEM,
                space_id=spaces.by_key(session, space).id,
            )
            if state in (State.PUBLISHED, State.RETIRED):
                editorial.publish(session, item, revision, actor=SYSTEM)
            if state == State.RETIRED:
                editorial.retire(session, item, actor=SYSTEM)
            item.state = state
            session.add(item)


def readers(db: Database) -> list[Principal]:
    with db.read() as session:
        ids = [None, *(spaces.by_key(session, key).id for key in SPACES)]
    mine = [(), ("gold",), ("silver", "bronze"), ("plan:a",), ("plan:a", "product:tv"), ("plan:b", "gold")]
    single = [
        Principal(role=role, space=space, groups=frozenset(groups)) for role, space, groups in product(Role, ids, mine)
    ]
    several = [
        Principal(role=Role.EDITOR, space=ids[2], also=frozenset({Grant(role, space)}), groups=frozenset({"plan:a"}))
        for role, space in product(Role, ids)
        if role.rank < Role.EDITOR.rank
    ]
    return single + several


def test_sql_and_value_agree_for_every_reader_and_item(db: Database) -> None:
    one_of_each(db)
    with db.read() as session:
        everything = session.exec(select(Item)).all()
        tags = items.labels(session, [int(item.id or 0) for item in everything])
        for reader in readers(db):
            scope = scope_of(session, reader)
            allowed = {
                item.id
                for item in everything
                if scope.allows(
                    audience=item.audience.value,
                    space=item.space_id,
                    groups=[v for f, v in tags.get(int(item.id or 0), frozenset()) if f == Facet.GROUP],
                    published=item.state == State.PUBLISHED,
                )
            }
            found = set(session.exec(select(Item.id).where(readable(scope))).all())
            assert found == allowed, reader
            assert items.size(session, scope) == sum(
                item.state == State.PUBLISHED for item in everything if item.id in allowed
            )


def test_what_each_role_sees(db: Database) -> None:
    one_of_each(db)
    with db.read() as session:
        names = {space.id: space.key for space in spaces.all_spaces(session)}

        def seen(reader: Principal) -> set[tuple[str, str, str]]:
            found = session.exec(select(Item).where(readable(scope_of(session, reader)))).all()
            return {(item.audience.value, names[item.space_id], item.state.value) for item in found}

        assert seen(Principal()) == {("public", "main", "published")}
        lake = spaces.by_key(session, "lake").id
        north = spaces.by_key(session, "northshore").id
        assert seen(Principal(role=Role.CUSTOMER, space=north)) == set(
            product(["public", "customer"], ["main", "lake", "northshore"], ["published"])
        )
        assert {space for _, space, _ in seen(Principal(role=Role.CUSTOMER, space=lake))} == {"main", "lake"}
        assert seen(Principal(role=Role.AGENT)) == set(product(Audience, SPACES, ["published"]))
        assert seen(Principal(role=Role.EDITOR)) == set(product(Audience, SPACES, State))


def test_groups_narrow_customers_but_not_items_without_groups(db: Database) -> None:
    one_of_each(db)
    with db.read() as session:

        def titles(groups: set[str]) -> set[str]:
            scope = scope_of(session, Principal(role=Role.CUSTOMER, groups=frozenset(groups)))
            return {title.split(" ", 2)[2] for _, title in items.listing(session, scope, limit=1000)}

        assert titles(set()) == {"() published"}
        assert titles({"silver"}) == {"() published", "('gold', 'silver') published"}
        assert titles({"gold"}) == {f"{group} published" for group in GROUPS[:3]}
        assert titles({"plan:a", "product:tv"}) == {"() published", "('plan:a', 'product:tv') published"}


values = st.sets(st.sampled_from(["a", "b", "c"]))


@given(mine=values, wanted=values, audience=st.sampled_from(list(Audience)), published=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_wider_scope_never_shows_less(mine: set[str], wanted: set[str], audience: Audience, published: bool) -> None:
    narrow = Scope(frozenset({"public"}), frozenset({1}), frozenset(mine))
    wide = Scope(frozenset(Audience), None, None, unpublished=True)

    def allowed(scope: Scope) -> bool:
        return scope.allows(audience=audience, space=1, groups=wanted, published=published)

    assert not allowed(narrow) or allowed(wide)
    assert allowed(narrow) == (published and audience == "public" and (not wanted or bool(mine & wanted)))


def test_an_unknown_space_and_a_low_role_are_named(sqlite: Database) -> None:
    with sqlite.read() as session, pytest.raises(InvalidInput, match="77"):
        scope_of(session, Principal(space=77))
    with pytest.raises(Forbidden, match=r"'editor'.*'agent'"):
        Principal(role=Role.AGENT).require(Role.EDITOR, "write")


def test_listings_and_counts_follow_the_rule(db: Database) -> None:
    with db.write() as session:
        for audience, topic, lang in [("public", "wifi", "en"), ("public", "wifi", "zh"), ("internal", "secret", "en")]:
            item, revision = editorial.create(
                session,
                Content(title=f"{topic} {lang}"),
                Profile(audience=Audience(audience), lang=lang, family="f", labels=labels(topics=[topic])),
                actor=SYSTEM,
            )
            editorial.publish(session, item, revision, actor=SYSTEM)
    with db.read() as session:
        anonymous = scope_of(session, Principal())
        assert items.counts(session, anonymous, Facet.TOPIC) == [("wifi", 2)]
        assert items.counts(session, anonymous, Facet.TOPIC, langs=["zh"]) == [("wifi", 1)]
        assert items.counts(session, scope_of(session, SYSTEM), Facet.TOPIC) == [("wifi", 2), ("secret", 1)]
        assert [t for _, t in items.listing(session, anonymous, label=(Facet.TOPIC, "secret"))] == []
        assert [t for _, t in items.listing(session, anonymous, langs=["en"])] == ["wifi en"]
        english = session.exec(select(Item).where(col(Item.lang) == "en", col(Item.audience) == "public")).one()
        assert [item.lang for item in items.translations(session, english, anonymous)] == ["zh"]
        assert items.family_members(session, anonymous, ["f"], "en") == {"f": english.id}
        assert items.titled(session, anonymous, "wifi en") == [english.id]
        assert items.titled(session, anonymous, "secret en") == []


def test_spaces_are_named_and_checked(db: Database) -> None:
    with db.write() as session:
        with pytest.raises(InvalidInput, match="'Ä'"):
            spaces.add(session, "Ä", name="x")
        with pytest.raises(InvalidInput):
            spaces.add(session, "ok", name=" ")
        with pytest.raises(NotFound, match="there are: main"):
            spaces.add(session, "ok", name="OK", parent="nowhere")
        spaces.add(session, "ok", name="OK")
        with pytest.raises(Exception, match="already"):
            spaces.add(session, "ok", name="OK")
