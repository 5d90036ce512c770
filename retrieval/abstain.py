"""Whether to answer, to offer questions, or to say that nothing was found.

The confidence is a probability: that the first hit is what an editor would have named. It comes from a logistic model
over things that any reader can check: how near the passage is in meaning, how many of the question's words it has, and
how far it leads, in meaning and in words, over the next hits that are about something else. The model was fitted on
judged questions, half of which had their passages taken away (`kb eval calibrate`, docs/decisions/0008-bands.md); its
weights are never below 0, so that a better hit never makes a lower band.

How many of the questions that are asked have an answer at all differs from place to place, and both the confidence and
what is risked depend on it: it is a setting (`KB_ANSWERABLE`). An answer is given where the confidence reaches the
lowest threshold from which, on the judged questions mixed in that proportion, at most `KB_ANSWER_RISK` of the answers
were wrong.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import islice
from math import exp, inf, log

from kb.settings import ANSWER_RISK, ANSWERABLE
from retrieval.language import primary
from retrieval.search import Hit, Results
from retrieval.text import analyze
from retrieval.tuned import TUNED, Confidence, Model

OFFERED = 1 / 3
"""Least confidence at which questions are offered: of three such offers one begins with the right one."""
CONSIDERED = 10
"""Hits that are looked at."""
_NEXT = 3
"""Hits about something else that the first is held against."""
_LEAST_STD = 1e-6
_SAME = 0.8
"""Share of words in common from which two titles are of one thing."""
_CODE = re.compile(r"(?=.*\d)[a-z]+[-_]?[a-z]?\d+")
"""Letters and a number in one, as analyzed: fb-e21, app-1103, kb5034441."""
_STRICT = re.compile(r"[a-z]+-[a-z]?\d{2,}|[a-z]{2,4}\d{4,}")
"""What can be nothing but a code: win11 and wifi6 are none."""


class Band(StrEnum):
    ANSWER = "answer"
    DID_YOU_MEAN = "did_you_mean"
    NO_ANSWER = "no_answer"


@dataclass(frozen=True, slots=True)
class Decision:
    band: Band
    confidence: float
    """Probability that the first hit is right."""


@dataclass(frozen=True, slots=True)
class Features:
    """What the confidence is made of. `Others` are the next three hits whose titles are of something else."""

    cosine: float
    """Of the question and the nearest of the first three hits."""
    coverage: float
    """Share of the question's distinct terms that the first hit has, its title included."""
    cosine_lead: float
    """That cosine above the mean of the others'."""
    spread_lead: float
    """The same in standard deviations of the question's cosine to all passages: for a model of unknown scale."""
    lexical_lead: float
    """BM25 of the first hit above the mean of the others', as a share of its upper bound for the question."""


def features(results: Results) -> Features:
    """Return the features of what was found; zeros where nothing was."""
    hits = results.hits[:CONSIDERED]
    if not hits:
        return Features(0.0, 0.0, 0.0, 0.0, 0.0)
    first = hits[0]
    asked = set(results.terms)
    said = asked & _words(f"{first.found.title}\n{first.found.text}")
    title = _words(first.found.title)
    different = (hit for hit in hits[1:] if not _alike(title, _words(hit.found.title)))
    others = list(islice(different, _NEXT)) or hits[1:][-1:]
    nearest = max(hit.dense for hit in hits[:3])
    elsewhere = _mean([hit.dense for hit in others], results.dense_mean)
    lead = max(0.0, nearest - elsewhere)
    words = first.lexical - _mean([hit.lexical for hit in others], 0.0)
    return Features(
        cosine=nearest,
        coverage=len(said) / len(asked) if asked else 0.0,
        cosine_lead=lead,
        spread_lead=lead / results.dense_std if results.dense_std > _LEAST_STD else 0.0,
        lexical_lead=max(0.0, words) / results.stats_bound if results.stats_bound > 0 else 0.0,
    )


def group(results: Results) -> str:
    """Return which model is asked: `zh`, `across` where the first hit is in another language, else `other`."""
    spoken, found = primary(results.lang), primary(results.hits[0].found.lang) if results.hits else ""
    if found and "und" not in (spoken, found) and found != spoken:
        return "across"
    return "zh" if spoken == "zh" else "other"


def logit(model: Model, of: Features) -> float:
    """Return the log odds that a hit with these features is right, where half of the questions have an answer."""
    return (
        model.bias
        + model.cosine * of.cosine
        + model.coverage * of.coverage
        + model.cosine_lead * of.cosine_lead
        + model.spread_lead * of.spread_lead
        + model.lexical_lead * of.lexical_lead
    )


def probability(odds: float, answerable: float = 0.5) -> float:
    """Return the probability for log odds, where this share of the questions has an answer.

    Source of the correction: Saerens, Latinne and Decaestecker, "Adjusting the Outputs of a Classifier to New a Priori
    Probabilities" (Neural Computation, 2002).
    """
    return 1 / (1 + exp(-max(-30.0, min(30.0, odds + log(answerable / (1 - answerable))))))


def threshold(confidence: Confidence, risk: float, answerable: float) -> float:
    """Return the lowest log odds from which on at most `risk` of the answers were wrong, infinity if there is none."""
    least = inf
    for odds, right, wrong, unanswerable in confidence.curve:
        bad = answerable * wrong + (1 - answerable) * unanswerable
        if bad <= risk * (answerable * right + bad):
            least = odds
    return least


def decide(results: Results, *, risk: float = ANSWER_RISK, answerable: float = ANSWERABLE) -> Decision:
    """Return the band for what was found, and how sure that is.

    `risk`: the share of wrong answers that is borne. `answerable`: the share of questions that have an answer.
    """
    if not results.hits:
        return Decision(Band.NO_ANSWER, 0.0)
    known = TUNED.confidence_of(results.embedder)
    odds = logit(known.models[group(results)], features(results))
    sure = probability(odds, answerable)
    if results.hits[0].exact_title or _names_its_code(results):
        return Decision(Band.ANSWER, max(sure, 1 - risk))
    if _names_another_code(results):
        return Decision(Band.NO_ANSWER, min(sure, OFFERED / 2))
    if odds >= threshold(known, risk, answerable):
        return Decision(Band.ANSWER, sure)
    return Decision(Band.DID_YOU_MEAN if sure >= OFFERED else Band.NO_ANSWER, sure)


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


@lru_cache(2048)
def _words(text: str) -> frozenset[str]:
    # The same passages and titles are first for many questions.
    return frozenset(analyze(text))


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    return bool(one) and len(one & other) >= _SAME * len(one | other)


def _names_its_code(results: Results) -> bool:
    """Say whether the question names a code (FB-E21) and the best hit's title has each that it names.

    A code has no meaning that a model of language could know, so its cosine says little.
    """
    codes = {term for term in results.terms if len(term) >= 4 and _CODE.fullmatch(term)}
    return bool(codes) and codes <= _words(results.hits[0].found.title)


def _names_another_code(results: Results) -> bool:
    """Say whether the question names codes of which the best hit has none: what is said of FB-E21 is not of FB-E33."""
    codes = {term for term in results.terms if _STRICT.fullmatch(term)}
    if not codes:
        return False
    found = results.hits[0].found
    return not codes & _words(f"{found.title}\n{found.text}")


def suggestions(hits: Sequence[Hit], most: int = 5) -> list[Hit]:
    """Return the hits whose titles to offer as questions: articles and answers before cases, in rank order.

    What scores less than half of the best is not offered: a list of titles that do not fit helps nobody.
    """
    written = [hit for hit in hits if hit.found.kind in ("article", "answer", "fixed")] or list(hits)
    least = written[0].score / 2 if written else 0.0
    return [hit for hit in written if hit.score >= least][:most]
