"""Everything a running Answerwell is made of, built in one place and handed to the routes and the command line."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING

from api import letters
from api.postman import Postman
from ingest.follower import Follower
from ingest.gap_rounds import GapRounds
from ingest.generations import Generations, Opened
from ingest.indexer import Indexer
from ingest.redaction.process import Redactor
from kb import schedule
from kb.db import Database
from kb.errors import Misconfigured
from kb.events import EventLog, pseudonym
from kb.file_store import FileStore
from kb.settings import Settings
from kb.smtp import MailServer
from retrieval.embed import Embedder, load_embedder
from retrieval.followup import Rewriter
from retrieval.local.engine import LocalIndex
from retrieval.rerank import configured
from retrieval.search import Searcher
from retrieval.text import ANALYZER_VERSION
from retrieval.titled import TitledEmbedder

if TYPE_CHECKING:
    from retrieval.generate.writer import Writer

log = logging.getLogger(__name__)

Load = Callable[[str], Embedder]
Tell = Callable[[str], None] | None


@dataclass(frozen=True)
class Services:
    """The parts of one process. Use as a context manager, or call `close()`."""

    settings: Settings
    db: Database
    generations: Generations
    searcher: Searcher
    events: EventLog
    follower: Follower
    rounds: GapRounds
    pseudonym_key: str
    rewriter: Rewriter | None = None
    """Completes follow-up questions; None: the rules do."""
    writer: "Writer | None" = None
    """Asks a language model, where one is configured."""
    postman: Postman | None = None
    """Sends e-mails, where a mail server is set."""
    redactor: Redactor = field(default_factory=Redactor)
    """Finds personal data in cases; its process starts with the first."""

    @property
    def generation(self) -> Opened:
        """The generation that this process searches at present."""
        return self.follower.current

    @property
    def index(self) -> LocalIndex:
        return self.generation.index

    @property
    def indexer(self) -> Indexer:
        return self.generation.indexer

    @property
    def embedder(self) -> Embedder:
        return self.generation.embedder

    @property
    def files(self) -> FileStore:
        """Images and attachments."""
        return FileStore(self.settings.files_folder)

    def visitor(self, name: str | None) -> str | None:
        """Return the pseudonym of a person, key or visitor for the event log."""
        return pseudonym(self.pseudonym_key, name) if name is not None else None

    def warm(self) -> None:
        """Load what the first question would wait for. Raises Misconfigured."""
        if self.searcher.reranking is not None:
            self.searcher.reranking.reranker.load()

    def close(self) -> None:
        self.rounds.close()
        self.follower.close()
        if self.postman is not None:
            self.postman.close()
        self.redactor.close()
        self.events.close()
        self.db.dispose()

    def __enter__(self) -> "Services":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_database(settings: Settings) -> Database:
    """Open and migrate the database of record. Raises Misconfigured or Unavailable."""
    try:
        settings.data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Misconfigured(
            f"the data folder {str(settings.data)!r} cannot be made: {error.strerror}; choose another with --data"
        ) from error
    db = Database(settings.sqlalchemy_url)
    db.migrate()
    return db


def open_generations(
    settings: Settings, db: Database, load: Load | None = None, on_progress: Tell = None
) -> Generations:
    """Return what opens generations under these settings. `load` gives an embedder by name (default: the real ones)."""

    def load_model(name: str) -> Embedder:
        return TitledEmbedder(load_embedder(name, settings.cache, settings.threads, on_progress))

    return Generations.of(settings, db, load or load_model)


def open_services(settings: Settings, *, load: Load | None = None, on_progress: Tell = None) -> Services:
    """Open database, and model and index of the active generation.

    Raises Misconfigured or Unavailable, and as `Generations.open` does.
    """
    db = open_database(settings)
    generations = open_generations(settings, db, load, on_progress)
    opened = generations.open_active()
    wished = (settings.embedder, settings.passage_tokens, ANALYZER_VERSION)
    if wished != (opened.recipe.embedder, opened.recipe.passage_tokens, opened.recipe.analyzer):
        log.warning(
            "searched is generation %d (%s, %d tokens a passage, analyzer %s); settings and program ask for %s, "
            "%d tokens, analyzer %s: go over with kb generation build",
            opened.number,
            opened.recipe.embedder,
            opened.recipe.passage_tokens,
            opened.recipe.analyzer,
            *wished,
        )
    searcher = Searcher(
        db,
        opened.index,
        opened.embedder,
        configured(settings),
        risk=settings.answer_risk,
        answerable=settings.answerable,
    )
    writer = open_writer(settings)
    follower = Follower(generations, searcher, opened, do_due=partial(schedule.run_due, db))
    return Services(
        settings=settings,
        db=db,
        generations=generations,
        searcher=searcher,
        events=EventLog(db),
        follower=follower,
        rounds=GapRounds(db, searcher, lambda: follower.current),
        pseudonym_key=db.meta("pseudonym_key"),
        rewriter=_rewriter(writer),
        writer=writer,
        postman=open_postman(settings, db),
    )


def open_postman(settings: Settings, db: Database) -> Postman | None:
    """Return what sends e-mails by these settings, None where no mail server is set. Connects to nothing yet.

    Raises Misconfigured for a mail server without a sender, or without the address that links begin with: what a
    request says of the host must not get into them.
    """
    if settings.smtp_url is None:
        return None
    for name, value in (("KB_MAIL_FROM", settings.mail_from), ("KB_PUBLIC_URL", settings.public_url)):
        if value is None:
            raise Misconfigured(f"KB_SMTP_URL is set, but not {name}: e-mails need both (docs/settings.md)")
    return Postman(db, MailServer.of(settings.smtp_url.get_secret_value()), partial(letters.written, settings, db))


def _rewriter(writer: "Writer | None") -> Rewriter | None:
    if writer is None:
        return None
    from retrieval.generate.rewriter import ModelRewriter

    return ModelRewriter(writer)


def open_writer(settings: Settings) -> "Writer | None":
    """Return what asks the language model of these settings, None where there is none. Connects to nothing yet.

    Raises Misconfigured for an address without a model.
    """
    if settings.llm_base_url is None:
        return None
    if settings.llm_model is None:
        raise Misconfigured("KB_LLM_BASE_URL is set, but no model: name it with KB_LLM_MODEL, as that server does")
    from retrieval.entailment import Entailment
    from retrieval.generate.endpoint import Endpoint
    from retrieval.generate.writer import Writer

    endpoint = Endpoint(
        settings.llm_base_url,
        settings.llm_model,
        settings.llm_api_key.get_secret_value() if settings.llm_api_key is not None else None,
        first_token=settings.llm_first_token,
        whole=settings.llm_timeout,
        options=settings.llm_fields,
    )
    name = settings.entailment_model
    return Writer(endpoint, entailment=Entailment(name) if name is not None else None)
