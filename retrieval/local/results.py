"""Results that are kept for as long as what they were found in: each snapshot has its own, so no change outlives it."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

from kb.access import Scope
from retrieval.types import Candidates, Filters, Query

MOST = 1024
_ROOM = 8 << 20

_NO_TIME = {"dense": 0.0, "lexical": 0.0}


class Results:
    """The last results of one snapshot by question, scope, filters and limit. Safe to share between threads."""

    def __init__(self, most: int = MOST, room: int = _ROOM) -> None:
        """Keep at most `most` results, in at most about `room` bytes."""
        self._most, self._room = most, room
        self._kept: OrderedDict[object, tuple[Candidates, int]] = OrderedDict()
        self._lock = threading.Lock()
        self.bytes = 0
        """About what is kept takes."""

    def __len__(self) -> int:
        return len(self._kept)

    def get(
        self, query: Query, scope: Scope, filters: Filters, limit: int, find: Callable[[], Candidates]
    ) -> Candidates:
        """Return what is kept, else what `find` returns, which then is kept. The arrays are read-only."""
        labels = frozenset((facet, frozenset(values)) for facet, values in filters.labels.items())
        vector = query.vector.tobytes() if query.vector is not None else None
        key = (tuple(query.terms), vector, scope, filters.kinds, filters.langs, filters.spaces, labels, limit)
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None:
                self._kept.move_to_end(key)
        if kept is not None:
            return replace(kept[0], took_ms=_NO_TIME)
        found = find()
        for array in (found.passage, found.item, found.dense, found.lexical, found.lang):
            array.setflags(write=False)
        self._keep(key, found, _size(query, scope, filters, found))
        return found

    def _keep(self, key: object, found: Candidates, size: int) -> None:
        with self._lock:
            if key in self._kept or size > self._room:
                return
            self._kept[key] = found, size
            self.bytes += size
            while len(self._kept) > self._most or self.bytes > self._room:
                _, (_, oldest) = self._kept.popitem(last=False)
                self.bytes -= oldest


def _size(query: Query, scope: Scope, filters: Filters, found: Candidates) -> int:
    """Return about how many bytes a result and its key take: 100 for each small object, 1,000 for what all have."""
    arrays = found.passage.nbytes + found.item.nbytes + found.dense.nbytes + found.lexical.nbytes + found.lang.nbytes
    vector = query.vector.nbytes if query.vector is not None else 0
    areas = [(area.audiences, area.spaces or (), area.groups or ()) for area in scope.areas]
    asked = (filters.kinds, filters.langs, filters.spaces, *filters.labels.values())
    values = sum(len(part) for area in areas for part in area) + sum(map(len, asked))
    terms = sum(100 + 4 * len(term) for term in query.terms)
    return 1000 + arrays + vector + terms + 100 * values
