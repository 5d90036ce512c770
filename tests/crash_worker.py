"""A process that writes until it is killed. Prints one line before each write and one when it was acknowledged.

usage: python -m tests.crash_worker DATABASE_URL DATA_FOLDER publish|ingest SEED
"""

import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from api.services import Services, open_services
from ingest.pipeline import Defaults, Report, ingest
from kb import editorial
from kb.access import SYSTEM
from kb.content import Content, Profile
from kb.models import Audience, Item
from kb.settings import Settings
from tests.fakes import FakeEmbedder

WORDS = ("router", "invoice", "roaming", "reset", "signal", "light", "套餐", "流量", "重启", "密码")


def main(url: str, data: str, mode: str, seed: str) -> None:
    rng = random.Random(seed)
    services = open_services(Settings(data=Path(data), database_url=url), embedder=FakeEmbedder())
    services.follower.start()
    act = publish_one if mode == "publish" else ingest_some
    while True:
        act(services, rng, say)
        if rng.random() < 0.3:
            services.indexer.flush()


def publish_one(services: Services, rng: random.Random, tell: Callable[[str], None]) -> None:
    """Create and publish an item, or revise or retire an old one: say so before the commit, acknowledge it after."""
    title = f"{rng.choice(WORDS)} {rng.getrandbits(48):x}"
    content = Content(title=title, body="\n\n".join(f"{rng.choice(WORDS)} {n}." for n in range(rng.randint(1, 30))))
    with services.db.write() as session:
        number = rng.randint(1, 40)
        item = session.get(Item, number)
        if item is None:
            item, revision = editorial.create(session, content, Profile(audience=Audience.PUBLIC), actor=SYSTEM)
            editorial.publish(session, item, revision, actor=SYSTEM)
            line = f"live {item.id} {title}"
        elif rng.random() < 0.4:
            editorial.retire(session, item, actor=SYSTEM)
            line = f"gone {item.id} -"
        else:
            editorial.publish(session, item, editorial.revise(session, item, content, actor=SYSTEM), actor=SYSTEM)
            line = f"live {item.id} {title}"
        tell(f"intent {line}")
    services.follower.wake()
    tell(line)


def ingest_some(services: Services, rng: random.Random, tell: Callable[[str], None]) -> None:
    """Ingest a folder of a hundred files in committed batches; acknowledge what the report counts."""
    with tempfile.TemporaryDirectory() as folder:
        for number in range(100):
            text = f"# {rng.choice(WORDS)} {rng.getrandbits(48):x}\n\nText {number}.\n"
            (Path(folder) / f"{number:03}.md").write_text(text, encoding="utf-8")
        name = f"run{rng.getrandbits(32)}"

        def told(report: Report) -> None:
            tell(f"files {name} {report.added}")

        ingest(services.db, [Path(folder)], actor=SYSTEM, name=name, defaults=Defaults(), on_progress=told)
    services.indexer.catch_up(lambda step: tell(f"step {step.changes} -"))


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
