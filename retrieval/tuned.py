"""Constants that were tuned, in one file with the runs that made them: `tuned.json`, written by `kb eval tune`."""

import json
from dataclasses import dataclass
from importlib.resources import files
from typing import Any


@dataclass(frozen=True, slots=True)
class Tuned:
    """What the runs recorded in the file came to."""

    lexical_weight: float
    """Of the lexical part, in standard deviations of the cosine."""
    lexical_damping: float
    """Added to the share that the lexical part is relative to."""


def read() -> dict[str, Any]:
    """Return the file as it is."""
    found: dict[str, Any] = json.loads((files("retrieval") / "tuned.json").read_text(encoding="utf-8"))
    return found


def _tuned() -> Tuned:
    fusion = read()["fusion"]
    return Tuned(lexical_weight=fusion["lexical_weight"], lexical_damping=fusion["lexical_damping"])


TUNED = _tuned()
