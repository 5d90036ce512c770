"""Peers, each driven as its own documentation shows, on the same vectors and the same terms.

A peer that cuts words by itself is given each passage and question as a text of its terms. Peers are asked without a
scope (what that costs is ours alone), hybrid ones for ten results. None is a dependency: requirements/peers.txt.
"""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from eval.bench.corpus import Corpus, Floats32, Question

TOP = 10
"""Results asked for."""
_LEG = 50
"""Results of a lexical peer, which are what a fusion would take."""
_BATCH = 2_000


class Peer(ABC):
    """One system. `build` makes it ready, `ask` answers one question."""

    name: ClassVar[str]
    package: ClassVar[str]
    """The distribution whose version is reported."""
    hybrid: ClassVar[bool]
    most: ClassVar[int] = 2_000_000
    """Passages above which it is not run, and `why`."""
    why: ClassVar[str] = ""

    @abstractmethod
    def build(self, corpus: Corpus, folder: Path) -> None: ...

    @abstractmethod
    def ask(self, question: Question) -> object: ...


class Txtai(Peer):
    """Hybrid with its defaults: SQLite content, faiss, its own BM25, equal weights."""

    name, package, hybrid = "txtai", "txtai", True

    def build(self, corpus: Corpus, folder: Path) -> None:
        given = iter(corpus.vectors)

        def vectors(texts: list[str]) -> Floats32:
            return np.stack([next(given) for _ in texts])

        self._transform: Callable[[list[str]], Floats32] = vectors
        self._embeddings = import_module("txtai").Embeddings(
            method="external", transform=lambda texts: self._transform(texts), hybrid=True, content=True
        )
        self._embeddings.index(enumerate(corpus.texts()))

    def ask(self, question: Question) -> object:
        self._transform = lambda texts: question.vector[None, :]
        return self._embeddings.search(" ".join(question.terms), TOP)


class Haystack(Peer):
    """In memory: BM25 and embedding retrievers, joined by reciprocal rank fusion."""

    name, package, hybrid = "Haystack in memory", "haystack-ai", True
    most, why = 200_000, "it keeps every vector as a list of Python numbers, over 12 KB a passage"

    def build(self, corpus: Corpus, folder: Path) -> None:
        document = import_module("haystack").Document
        store_of = import_module("haystack.document_stores.in_memory").InMemoryDocumentStore
        store = store_of(embedding_similarity_function="dot_product")
        rows = zip(corpus.texts(), corpus.vectors, strict=True)
        for batch in _batched(enumerate(rows)):
            store.write_documents(
                [document(id=str(row), content=text, embedding=vector.tolist()) for row, (text, vector) in batch]
            )
        retrievers = import_module("haystack.components.retrievers.in_memory")
        self._words = retrievers.InMemoryBM25Retriever(store, top_k=_LEG)
        self._vectors = retrievers.InMemoryEmbeddingRetriever(store, top_k=_LEG)
        joiner = import_module("haystack.components.joiners").DocumentJoiner
        self._joiner = joiner(join_mode="reciprocal_rank_fusion", top_k=TOP)

    def ask(self, question: Question) -> object:
        by_words = self._words.run(query=" ".join(question.terms))["documents"]
        by_vector = self._vectors.run(query_embedding=question.vector.tolist())["documents"]
        return self._joiner.run(documents=[by_words, by_vector])


class LanceDb(Peer):
    """Hybrid query with its defaults: exact vectors, its full-text index, reciprocal rank fusion."""

    name, package, hybrid = "LanceDB", "lancedb", True

    def build(self, corpus: Corpus, folder: Path) -> None:
        arrow = import_module("pyarrow")
        schema = arrow.schema(
            [("row", arrow.int64()), ("text", arrow.string()), ("vector", arrow.list_(arrow.float32(), corpus.dim))]
        )

        def batches() -> Iterable[Any]:
            at = 0
            for texts in _batched(corpus.texts()):
                flat = arrow.array(corpus.vectors[at : at + len(texts)].ravel())
                vectors = arrow.FixedSizeListArray.from_arrays(flat, corpus.dim)
                rows = arrow.array(range(at, at + len(texts)), arrow.int64())
                yield arrow.RecordBatch.from_arrays([rows, arrow.array(texts), vectors], schema=schema)
                at += len(texts)

        database = import_module("lancedb").connect(str(folder))
        self._table = database.create_table("passages", batches(), schema=schema)
        self._table.create_fts_index("text")

    def ask(self, question: Question) -> object:
        query = self._table.search(query_type="hybrid").vector(question.vector).text(" ".join(question.terms))
        return query.limit(TOP).select(["row"]).to_arrow()


class Bm25s(Peer):
    """Eager scores of all passages, then the best of them."""

    name, package, hybrid = "bm25s", "bm25s", False

    def build(self, corpus: Corpus, folder: Path) -> None:
        self._retriever = import_module("bm25s").BM25(method="lucene", k1=1.5, b=0.75)
        self._retriever.index(list(corpus.words(0, len(corpus))), show_progress=False)

    def ask(self, question: Question) -> object:
        known = [term for term in question.terms if term in self._retriever.vocab_dict]
        if not known:
            return []
        scores = self._retriever.get_scores(known)
        best = np.argpartition(-scores, min(_LEG, len(scores) - 1))[:_LEG]
        return best[np.argsort(-scores[best])]


class RankBm25(Peer):
    """Its scoring alone, without picking the best."""

    name, package, hybrid = "rank_bm25", "rank-bm25", False
    most, why = 200_000, "it keeps a dictionary of words for every passage"

    def build(self, corpus: Corpus, folder: Path) -> None:
        self._okapi = import_module("rank_bm25").BM25Okapi(list(corpus.words(0, len(corpus))))

    def ask(self, question: Question) -> object:
        return self._okapi.get_scores(question.terms)


class Tantivy(Peer):
    """A full-text engine in Rust, its index in files; words are split at spaces only."""

    name, package, hybrid = "tantivy", "tantivy", False

    def build(self, corpus: Corpus, folder: Path) -> None:
        tantivy = self._tantivy = import_module("tantivy")
        builder = tantivy.SchemaBuilder()
        builder.add_text_field("body", stored=False, tokenizer_name="whitespace", index_option="freq")
        builder.add_unsigned_field("row", stored=True)
        self._schema = builder.build()
        self._index = tantivy.Index(self._schema, path=str(folder))
        writer = self._index.writer(128_000_000, 1)
        for row, text in enumerate(corpus.texts()):
            writer.add_document(tantivy.Document(body=text, row=row))
        writer.commit()
        writer.wait_merging_threads()
        self._index.reload()

    def ask(self, question: Question) -> object:
        query, occur = self._tantivy.Query, self._tantivy.Occur
        terms = [(occur.Should, query.term_query(self._schema, "body", term)) for term in question.terms]
        return self._index.searcher().search(query.boolean_query(terms), _LEG, count=False).hits


PEERS: dict[str, type[Peer]] = {
    peer.__name__.casefold(): peer for peer in (Txtai, Haystack, LanceDb, Bm25s, RankBm25, Tantivy)
}


def _batched(values: Iterable[Any]) -> Iterable[list[Any]]:
    iterator = iter(values)
    while batch := list(itertools.islice(iterator, _BATCH)):
        yield batch
