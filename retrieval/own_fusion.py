"""The two constants of the fusion, learnt from an organisation's own links: one file a fingerprint.

How much a shared word says beside the cosine depends on what is written and how it is asked for. The shipped constants
are the best for many knowledge bases at once; these are the best for one. See
docs/decisions/0017-learning-from-use.md.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from retrieval.learnt import LearntFile, refused, seal, unseal

_MAGIC = b"answerwell-fusion"
_KIND = "own fusion"


@dataclass(frozen=True, slots=True)
class OwnFusion:
    """`weight` and `damping` of `retrieval.fusion.fuse`, for the vectors of one fingerprint."""

    fingerprint: str
    weight: float
    damping: float
    learnt: dict[str, Any] = field(default_factory=dict)
    """When, from how much, and what was measured; for people."""


def write(path: Path, fusion: OwnFusion) -> None:
    """Write the file whole or not at all."""
    body = {
        "fingerprint": fusion.fingerprint,
        "weight": fusion.weight,
        "damping": fusion.damping,
        "learnt": fusion.learnt,
    }
    seal(path, _MAGIC, json.dumps(body, ensure_ascii=False).encode())


def read(path: Path, fingerprint: str) -> OwnFusion:
    """Return the fusion of a file for vectors of a fingerprint.

    Raises Misconfigured, naming the file, for one that is damaged, of another version or of another embedder, and
    FileNotFoundError.
    """
    known = json.loads(unseal(path, _MAGIC, _KIND))
    if known["fingerprint"] != fingerprint:
        raise refused(path, _KIND, f"it was learnt with another embedder (fingerprint {known['fingerprint']})")
    return OwnFusion(fingerprint, float(known["weight"]), float(known["damping"]), known["learnt"])


class OwnFusionFile(LearntFile[OwnFusion]):
    """The fusion that a file holds now."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        super().__init__(folder / f"{fingerprint}.fusion", lambda path: read(path, fingerprint))
