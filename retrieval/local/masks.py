"""Scope and filters compiled to one bit a row. docs/filter-semantics.md says the rule in words."""

from collections.abc import Callable, Collection, Iterable
from typing import Any

import numpy as np

from kb.access import ENTITLEMENTS, Scope, kind_of_group
from retrieval.local.segment import Bools, Segment
from retrieval.types import Filters

_MAY_LACK = frozenset({"product", "version"})
"""An item that names no product (version) is about all of them: it passes any filter on it."""

_KEPT = 64
"""Masks kept for each segment."""
_TAKEN_OVER = 16
"""Of these, how many a new segment has from the start."""

_Key = tuple[Scope, frozenset[str], frozenset[str], frozenset[int], tuple[tuple[str, tuple[str, ...]], ...]]
"""Scope, kinds, languages, spaces, labels."""


class Masks:
    """Masks of one segment, the last ones kept. A mask knows nothing of dead rows."""

    def __init__(self, segment: Segment) -> None:
        self._segment = segment
        self._kept: dict[_Key, Bools] = {}

    def allowed(self, scope: Scope, filters: Filters) -> Bools:
        """Return which rows lie inside scope and filters, shape (n,). Not to be written to."""
        labels = tuple(sorted((facet, tuple(sorted(values))) for facet, values in filters.labels.items()))
        key = (scope, filters.kinds, filters.langs, filters.spaces, labels)
        mask = self._kept.get(key)
        if mask is None:
            mask = _compile(self._segment, scope, filters)
            mask.setflags(write=False)
            kept = dict(list(self._kept.items())[-(_KEPT - 1) :])
            kept[key] = mask
            self._kept = kept  # replaced as a whole: other threads read the old or the new one
        return mask

    def take_over(self, others: Iterable["Masks"]) -> None:
        """Compile the masks that were in use on other segments, so that no reader has to."""
        keys = list(dict.fromkeys(key for masks in others for key in reversed(masks._kept)))
        for scope, kinds, langs, spaces, labels in keys[:_TAKEN_OVER]:
            named = {facet: frozenset(values) for facet, values in labels}
            self.allowed(scope, Filters(kinds=kinds, langs=langs, spaces=spaces, labels=named))


def _compile(segment: Segment, scope: Scope, filters: Filters) -> Bools:
    first, *others = scope.areas
    mask = _area(segment, first)
    for area in others:
        mask |= _area(segment, area)
    if filters.kinds:
        mask &= _among(segment, segment.kinds, filters.kinds)
    if filters.langs:
        mask &= _among(segment, segment.langs, filters.langs)
    if filters.spaces:
        mask &= np.isin(segment.spaces, list(filters.spaces))
    for facet, values in filters.labels.items():
        if values:
            matching = _labelled(segment, facet, values.__contains__)
            if facet in _MAY_LACK:
                matching |= ~_labelled(segment, facet, lambda _: True)
            mask &= matching
    return mask


def _area(segment: Segment, area: Scope) -> Bools:
    """Return the rows of one area of a scope, whatever lies beside it."""
    mask = _among(segment, segment.audiences, area.audiences)
    if area.spaces is not None:
        mask &= np.isin(segment.spaces, list(area.spaces))
    if area.groups is not None:
        groups = area.groups
        for kind in ("", *ENTITLEMENTS):
            if f"{kind}:*" not in groups:
                mask &= ~_grouped(segment, kind, lambda _: True) | _grouped(segment, kind, groups.__contains__)
    return mask


def _grouped(segment: Segment, kind: str, wanted: Callable[[str], bool]) -> Bools:
    """Return which rows have a group of this kind that is wanted."""
    return _labelled(segment, "group", lambda group: kind_of_group(group) == kind and wanted(group))


def _among(segment: Segment, codes: Any, values: Collection[str]) -> Bools:
    wanted = np.array([word in values for word in segment.words], np.bool_)
    found: Bools = wanted[codes] if len(wanted) else np.zeros(len(segment), np.bool_)
    return found


def _labelled(segment: Segment, facet: str, wanted: Callable[[str], bool]) -> Bools:
    """Return which rows have a label of `facet` whose value is wanted."""
    chosen = np.array([name == facet and wanted(value) for name, value in segment.labels], np.bool_)
    found = np.zeros(len(segment), np.bool_)
    if chosen.any():
        rows = np.repeat(np.arange(len(segment)), np.diff(segment.label_starts))
        found[rows[chosen[segment.label_codes]]] = True
    return found
