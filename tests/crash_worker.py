"""A process that writes until it is killed. It says what it is about to commit, and acknowledges what was committed."""

import logging
import random
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path

from sqlalchemy import update
from sqlmodel import col, select

from api.services import Services, open_services
from ingest.pipeline import Report, ingest
from kb import editorial, generations
from kb.access import SYSTEM
from kb.content import Content, Profile
from kb.editorial import EDITOR_SOURCE
from kb.errors import Unavailable
from kb.generations import GRACE, Recipe
from kb.models import Audience, Generation, GenerationState, Item, now
from kb.settings import Settings
from retrieval.text import ANALYZER_VERSION
from tests.fakes import fake

WORDS = ("router", "invoice", "roaming", "reset", "signal", "light", "套餐", "流量", "重启", "密码")
SOURCES = 3
FILES = 30

Tell = Callable[..., None]


def work(connection: Connection, url: str, data: str, seed: str) -> None:
    """Act at random for ever. Messages are tuples; `intent` goes before a commit, the same words alone after it."""
    logging.disable(logging.CRITICAL)  # what is refused is said
    rng = random.Random(seed)

    def tell(*words: object) -> None:
        connection.send(words)

    services = opened(Settings(data=Path(data), database_url=url), tell)
    services.follower.start()
    tell("open")
    while True:
        (act,) = rng.choices((change_item, take_in, keep_house, next_generation), (10, 2, 4, 4))
        try:
            act(services, rng, tell)
        except (
            Unavailable
        ) as error:  # the disk is full: said, not acknowledged, and it goes on; any other error ends it
            tell("refused", error.message)
            time.sleep(0.01)
        services.follower.wake()


def opened(settings: Settings, tell: Tell) -> Services:
    """Open all parts, again and again while the disk is full."""
    while True:
        try:
            return open_services(settings, load=fake)
        except Unavailable as error:
            tell("refused", error.message)
            time.sleep(0.01)


def change_item(services: Services, rng: random.Random, tell: Tell) -> None:
    """Publish a new item or a revision, close it to the public, retire it, or delete it for good."""
    title = f"{rng.choice(WORDS)} {rng.getrandbits(48):x}"
    content = Content(title=title, body="\n\n".join(f"{rng.choice(WORDS)} {n}." for n in range(rng.randint(1, 30))))
    with services.db.write() as session:
        numbers = session.exec(select(Item.id).where(Item.source == EDITOR_SOURCE)).all()
        item = session.get(Item, rng.choice(numbers)) if len(numbers) > rng.randint(0, 60) else None
        what = rng.choice(("revise", "revise", "close", "retire", "delete"))
        if item is None:
            item, revision = editorial.create(session, content, Profile(audience=Audience.PUBLIC), actor=SYSTEM)
            editorial.publish(session, item, revision, actor=SYSTEM)
            state: object = title
        elif what == "revise":
            editorial.reprofile(session, item, Profile(audience=Audience.PUBLIC), actor=SYSTEM)
            editorial.publish(session, item, editorial.revise(session, item, content, actor=SYSTEM), actor=SYSTEM)
            state = title
        elif what == "close":
            editorial.reprofile(session, item, Profile(audience=Audience.INTERNAL), actor=SYSTEM)
            state = None
        elif what == "retire":
            editorial.retire(session, item, actor=SYSTEM)
            state = None
        else:
            editorial.delete(session, item, actor=SYSTEM)
            state = None
        number = int(item.id or 0)
        tell("intent", "item", number, state)
    tell("item", number, state)


def take_in(services: Services, rng: random.Random, tell: Tell) -> None:
    """Ingest a folder anew: all of its files are changed, in committed batches."""
    name, run = f"folder{rng.randrange(SOURCES)}", f"run{rng.getrandbits(48):x}"
    with tempfile.TemporaryDirectory() as folder:
        for number in range(FILES):
            text = f"# {rng.choice(WORDS)} {run}\n\nText {number}.\n"
            (Path(folder) / f"{number:03}.md").write_text(text, encoding="utf-8")

        def told(report: Report) -> None:
            tell("files", name, run, report.added + report.updated)

        tell("intent", "files", name, run, 0)
        ingest(services.db, [Path(folder)], actor=SYSTEM, name=name, on_progress=told)


def keep_house(services: Services, rng: random.Random, tell: Tell) -> None:
    """Bring the index level, flush and merge it; let the grace of ended generations be over and clear them."""
    services.indexer.catch_up()
    services.indexer.flush()
    if rng.random() < 0.3:
        ended = col(Generation.state) == GenerationState.REMOVING
        with services.db.write() as session:
            session.connection().execute(
                update(Generation).where(ended).values(changed_at=now() - GRACE - timedelta(seconds=1))
            )
        services.generations.clear()
    tell("house")


def next_generation(services: Services, rng: random.Random, tell: Tell) -> None:
    """Build the next generation, or go on with one that was begun, and switch to it; or go back to the one before."""
    if rng.random() < 0.3:
        go_back(services, tell)
        return
    with services.db.read() as session:
        begun = [row for row in generations.every(session) if row.state == GenerationState.BUILDING]
    name = rng.choice(("one", "two"))
    recipe = Recipe(name, f"fake-{name}", rng.choice((64, 400)), ANALYZER_VERSION)
    if begun and rng.random() < 0.8:
        recipe = generations.recipe(begun[0])
    opened = services.generations.begin(recipe, again=True)
    try:
        while opened.indexer.step(rng.randint(1, 40)).changes:
            if rng.random() < 0.3:
                opened.indexer.flush()
        opened.indexer.flush()
        with services.db.write() as session:
            generations.activate(session, opened.number)
            tell("intent", "active", opened.number)
        tell("active", opened.number)
    finally:
        opened.close()


def go_back(services: Services, tell: Tell) -> None:
    with services.db.read() as session:
        kept = [int(row.number or 0) for row in generations.every(session) if row.state == GenerationState.KEPT]
    if not kept:
        return
    with services.db.write() as session:
        generations.activate(session, kept[0])
        tell("intent", "active", kept[0])
    tell("active", kept[0])
