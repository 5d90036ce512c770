"""kb bench: what the embedded engine costs, at several sizes, beside peers in the same run.

Passages are made of sentences of the demo with seeded changes, vectors are seeded and clustered, the questions are the
demo's. Measured is the engine with fusion, under a scope: the model's forward pass and the database are left out
(`python -m eval.bench_search` has the whole of a search).
"""

import importlib
import json
import random
import resource
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import typer

from eval.beir import load_questions
from ingest import demo
from kb.access import Scope
from kb.errors import InvalidInput, shown
from retrieval.fusion import fuse, order
from retrieval.local.engine import LocalIndex
from retrieval.text import ANALYZER_VERSION, analyze, sentences
from retrieval.types import Attributes, Change, Filters, PassageDoc, Query, Vector

DIM = 384
LIMIT = 50
"""Passages taken from each leg, as a search takes them."""
SCOPE = Scope(frozenset({"public"}), frozenset({1}), frozenset())
SHARES = (0.001, 0.01, 0.1, 0.5)
"""Shares of the corpus that a filter allows."""
_BATCH = 2_000

app = typer.Typer(help="Measure the engine.")


@dataclass(frozen=True, slots=True)
class Corpus:
    """n passages: their terms, their vectors of shape (n, DIM), and the label that a filter of each share allows."""

    terms: list[list[str]]
    vectors: npt.NDArray[np.float32]
    labels: list[frozenset[tuple[str, str]]]


@dataclass(frozen=True, slots=True)
class Question:
    terms: list[str]
    vector: Vector


def corpus(passages: int, seed: int = 7) -> tuple[Corpus, list[Question]]:
    """Make passages of about 100 terms, and the demo's questions with vectors near some of them."""
    rng, numbers = random.Random(seed), np.random.default_rng(seed)
    pool: list[list[str]] = []
    with demo.folder() as folder:
        for path in sorted((folder / "articles").rglob("*.md")):
            text = path.read_text(encoding="utf-8").split("---", 2)[2]
            pool += [analyze(text[a:b]) for a, b in sentences(text) if b - a > 20]
        asked = [analyze(query.text) for query in load_questions(folder / "judged", "demo").queries]
    terms = []
    for number in range(passages):
        words = [word for sentence in rng.sample(pool, 8) for word in sentence]
        for _ in range(6):  # words of their own, as names and numbers are, so that the vocabulary grows as it does
            words[rng.randrange(len(words))] = f"w{int(rng.paretovariate(0.7)) % 200_000}"
        terms.append([*words, f"n{number}"])
    centres = numbers.standard_normal((max(8, passages // 500), DIM)).astype(np.float32)
    vectors = np.empty((passages, DIM), np.float32)
    for start in range(0, passages, 50_000):
        end = min(passages, start + 50_000)
        some = centres[numbers.integers(0, len(centres), end - start)]
        some = some + 0.8 * numbers.standard_normal((end - start, DIM)).astype(np.float32)
        vectors[start:end] = some / np.linalg.norm(some, axis=1, keepdims=True)
    labels = [frozenset(("topic", f"share{share}") for share in SHARES if rng.random() < share) for _ in terms]
    near = vectors[numbers.integers(0, passages, len(asked))] + 0.03 * numbers.standard_normal((len(asked), DIM))
    near = (near / np.linalg.norm(near, axis=1, keepdims=True)).astype(np.float32)
    return Corpus(terms, vectors, labels), [Question(t, v) for t, v in zip(asked, near, strict=True)]


def changes(made: Corpus) -> Iterator[list[Change]]:
    """Yield the corpus as batches of changes; a quarter of it is internal."""
    batch: list[Change] = []
    for at, (terms, labels) in enumerate(zip(made.terms, made.labels, strict=True)):
        about = Attributes("article", "internal" if at % 4 == 3 else "public", 1, "en", labels)
        batch.append(Change(at + 1, at + 1, about, (PassageDoc(at + 1, terms, made.vectors[at]),)))
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def opened(folder: Path) -> LocalIndex:
    return LocalIndex.open(
        folder, dim=DIM, generation=1, fingerprint="bench", analyzer=ANALYZER_VERSION, database_id="bench", results=0
    )


def ask(index: LocalIndex, question: Question, filters: Filters | None = None) -> npt.NDArray[np.int64]:
    """Return the ids of the fused ranking."""
    query = Query(terms=question.terms, vector=question.vector)
    found = index.search(query, scope=SCOPE, filters=filters or Filters(), limit=LIMIT)
    return found.passage[order(fuse(found), found.passage)][:10]


def times(act: Callable[[Question], object], questions: Sequence[Question], rounds: int) -> dict[str, float]:
    """Return milliseconds at p50, p95 and p99, one after the other, after a warm-up."""
    for question in questions[:20]:
        act(question)
    took = []
    for question in list(questions) * rounds:
        started = time.perf_counter()
        act(question)
        took.append((time.perf_counter() - started) * 1000)
    return {f"p{p}": round(float(np.percentile(took, p)), 3) for p in (50, 95, 99)}


def rate(act: Callable[[Question], object], questions: Sequence[Question], threads: int, seconds: float) -> float:
    """Return questions a second with so many threads at once."""
    counts = [0] * threads
    until = time.perf_counter() + seconds

    def run(number: int) -> None:
        at = number
        while time.perf_counter() < until:
            act(questions[at % len(questions)])
            counts[number] += 1
            at += threads

    running = [threading.Thread(target=run, args=(n,)) for n in range(threads)]
    started = time.perf_counter()
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return round(sum(counts) / (time.perf_counter() - started), 1)


def recall(index: LocalIndex, made: Corpus, questions: Sequence[Question], share: float) -> float:
    """Return the recall@10 of the dense leg under a filter, against exact cosines computed here."""
    label = ("topic", f"share{share}")
    rows = np.array([at for at, have in enumerate(made.labels) if label in have and at % 4 != 3], np.int64)
    if not len(rows):
        return 1.0
    filters = Filters(labels={"topic": frozenset({label[1]})})
    wide = made.vectors[rows].astype(np.float16).astype(np.float32)
    found = []
    for question in questions:
        exact = set((rows[np.argsort(-(wide @ question.vector), kind="stable")[:10]] + 1).tolist())
        query = Query(terms=[], vector=question.vector)
        got = index.search(query, scope=SCOPE, filters=filters, limit=10)
        best = got.passage[np.argsort(-got.dense, kind="stable")[:10]].tolist()
        found.append(len(exact.intersection(best)) / len(exact))
    return round(statistics.mean(found), 4)


def measure(passages: int, rounds: int, peers: bool, tell: Callable[[str], None]) -> dict[str, Any]:
    """Build an index of so many passages in a throw-away folder and measure it."""
    tell(f"{passages:,} passages: making them")
    made, questions = corpus(passages)
    with tempfile.TemporaryDirectory(prefix="answerwell-bench-") as name:
        folder = Path(name) / "index"
        index = opened(folder)
        started = time.perf_counter()
        for number, batch in enumerate(changes(made)):
            index.apply(batch)
            if number % 25 == 24:
                index.flush()
                index.merge()
        index.flush()
        index.merge()
        built = time.perf_counter() - started
        index.close()
        tell(f"{passages:,} passages: built in {built:.1f} s; asking")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        started = time.perf_counter()
        index = opened(folder)
        loaded = time.perf_counter() - started
        ask(index, questions[0])
        first = time.perf_counter() - started
        row: dict[str, Any] = {
            "passages": passages,
            "build_passages_per_second": round(passages / built),
            "index_bytes_per_passage": round(index.stats().bytes / passages),
            "segments": index.stats().segments,
            "load_seconds": round(loaded, 3),
            "cold_first_answer_seconds": round(first, 3),
            "hybrid_ms": times(lambda q: ask(index, q), questions, rounds),
            "queries_per_second": {
                f"{n} threads": rate(lambda q: ask(index, q), questions, n, float(rounds)) for n in (1, 4)
            },
            "filtered_recall@10": {str(share): recall(index, made, questions[:40], share) for share in SHARES},
            "filtered_ms": {
                str(share): times(
                    lambda q, s=share: ask(index, q, Filters(labels={"topic": frozenset({f"share{s}"})})),  # type: ignore[misc]
                    questions,
                    1,
                )
                for share in SHARES
            },
            "publish_ms": _publish(index, made),
            "delete_is_gone_at_once": _delete(index, questions[0]),
            "peak_megabytes": max(before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) // 1024,
        }
        if peers:
            row["peers"] = _peers(index, made, questions, rounds)
        index.close()
    return row


def _publish(index: LocalIndex, made: Corpus) -> dict[str, float]:
    """Return the milliseconds from a change to its being found, one change at a time."""
    took = []
    for n in range(200):
        seq = index.watermark + 1
        about = Attributes("article", "public", 1, "en", frozenset())
        doc = PassageDoc(10_000_000 + n, [f"fresh{n}", *made.terms[n % len(made.terms)]], made.vectors[n])
        started = time.perf_counter()
        index.apply([Change(seq, 10_000_000 + n, about, (doc,))])
        found = index.search(Query(terms=[f"fresh{n}"], vector=None), scope=SCOPE, filters=Filters(), limit=1)
        took.append((time.perf_counter() - started) * 1000)
        if found.passage.tolist() != [10_000_000 + n]:
            raise AssertionError("what was applied was not found")
    return {f"p{p}": round(float(np.percentile(took, p)), 3) for p in (50, 95, 99)}


def _delete(index: LocalIndex, question: Question) -> bool:
    """Delete the best hit of a question; say whether the next question does without it."""
    best = int(ask(index, question)[0])
    index.apply([Change(index.watermark + 1, best, None, ())])
    return best not in ask(index, question).tolist()


def _peers(index: LocalIndex, made: Corpus, questions: Sequence[Question], rounds: int) -> dict[str, Any]:
    """Time the lexical leg beside those peers that are installed, on the same terms, and compare rank_bm25's scores."""

    def ours(question: Question) -> object:
        return index.search(Query(terms=question.terms, vector=None), scope=SCOPE, filters=Filters(), limit=LIMIT)

    found: dict[str, Any] = {"answerwell lexical": times(ours, questions, rounds)}
    okapi = importlib.import_module("rank_bm25").BM25Okapi(made.terms)
    found["rank_bm25"] = times(lambda q: np.argsort(-okapi.get_scores(q.terms))[:LIMIT], questions[:25], 1)
    try:
        bm25s = importlib.import_module("bm25s")
    except ModuleNotFoundError:
        found["bm25s"] = "not installed"
        return found
    retriever = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
    retriever.index(made.terms, show_progress=False)
    known = retriever.vocab_dict

    def theirs(question: Question) -> object:
        scores = retriever.get_scores([term for term in question.terms if term in known] or [next(iter(known))])
        best = np.argpartition(-scores, min(LIMIT, len(scores) - 1))[:LIMIT]
        return best[np.argsort(-scores[best])]

    found["bm25s"] = times(theirs, questions, rounds)
    return found


def markdown(rows: Sequence[dict[str, Any]]) -> str:
    """Return a table of the rows."""
    lines = [
        "| passages | p50 / p95 / p99 ms | queries/s, 1 / 4 threads | built, passages/s | bytes each | publish p95 |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        hybrid, both = row["hybrid_ms"], row["queries_per_second"]
        lines.append(
            f"| {row['passages']:,} | {hybrid['p50']} / {hybrid['p95']} / {hybrid['p99']} "
            f"| {both['1 threads']} / {both['4 threads']} | {row['build_passages_per_second']:,} "
            f"| {row['index_bytes_per_passage']:,} | {row['publish_ms']['p95']} |"
        )
    return "\n".join(lines) + "\n"


def plot(rows: Sequence[dict[str, Any]]) -> str:
    """Return an SVG of milliseconds against passages, both axes logarithmic."""
    width, height, left, bottom = 640, 360, 60, 50
    sizes = [row["passages"] for row in rows]
    lines = {f"hybrid {p}": [row["hybrid_ms"][p] for row in rows] for p in ("p50", "p95")}
    for name in rows[0].get("peers", {}):
        values = [row["peers"][name] for row in rows]
        if all(isinstance(value, dict) for value in values):
            lines[f"{name} p50"] = [value["p50"] for value in values]
    low, high = float(np.floor(_all(lines, min))), float(np.ceil(_all(lines, max)))
    first, last = np.log10(min(sizes)), np.log10(max(sizes))

    def place(size: float, ms: float) -> tuple[float, float]:
        x = left + (width - left - 150) * (np.log10(size) - first) / max(last - first, 1e-9)
        y = height - bottom - (height - bottom - 20) * (np.log10(ms) - low) / max(high - low, 1e-9)
        return round(float(x), 1), round(float(y), 1)

    colours = ("#0b6e4f", "#63b995", "#8d5a97", "#c8553d", "#3d5a80")
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        f'<text x="{left}" y="14">milliseconds by passages, both logarithmic</text>',
    ]
    for exponent in range(int(low), int(high) + 1):
        _, y = place(min(sizes), 10.0**exponent)
        parts.append(
            f'<path d="M{left} {y}H{width - 150}" stroke="#ddd"/><text x="8" y="{y + 4}">{10.0**exponent:g}</text>'
        )
    for size in sizes:
        x, _ = place(size, 10.0**low)
        parts.append(f'<text x="{x}" y="{height - 28}" text-anchor="middle">{size:,}</text>')
    label = float(height)
    by_height = sorted(lines.items(), key=lambda line: line[1][-1])
    for number, (name, values) in enumerate(by_height):
        colour = colours[number % len(colours)]
        points = [place(size, ms) for size, ms in zip(sizes, values, strict=True)]
        parts.append(f'<polyline points="{" ".join(f"{x},{y}" for x, y in points)}" fill="none" stroke="{colour}"/>')
        parts += [f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>' for x, y in points]
        x, y = points[-1]
        label = y = min(y, label - 14)  # names do not lie on one another
        parts.append(f'<text x="{x + 8}" y="{y + 4}" fill="{colour}">{name}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _all(lines: dict[str, list[float]], pick: Callable[[list[float]], float]) -> float:
    return float(np.log10(pick([max(ms, 1e-3) for values in lines.values() for ms in values])))


@app.callback(invoke_without_command=True)
def bench(
    passages: Annotated[str, typer.Option(help="Sizes, comma-separated.")] = "10000,100000",
    rounds: Annotated[int, typer.Option(help="How often each question is asked.", min=1)] = 3,
    peers: Annotated[bool, typer.Option("--peers", help="Time rank_bm25, and bm25s where installed, beside.")] = False,
    chart: Annotated[Path | None, typer.Option("--plot", metavar="FILE.svg", help="Draw cost against size.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Build indexes of real text, ask real questions, print what it costs."""
    try:
        sizes = [int(size.replace("_", "")) for size in passages.split(",") if size.strip()]
    except ValueError as error:
        raise InvalidInput(
            f"sizes are whole numbers such as 10000,100000, not {shown(passages)}", field="passages"
        ) from error
    if not sizes or min(sizes) < 100:
        raise InvalidInput(f"a size is at least 100 passages, not {shown(passages)}", field="passages")
    rows = [measure(size, rounds, peers, lambda line: print(line, file=sys.stderr)) for size in sizes]
    if chart is not None:
        chart.write_text(plot(rows), encoding="utf-8")
    sys.stdout.write(json.dumps({"results": rows}, indent=2) + "\n" if as_json else markdown(rows))
