"""What differs between two texts, as a page shows it."""

from collections.abc import Sequence
from dataclasses import dataclass

from kb.differences import Segment

AROUND = 3
"""Lines that are shown before and after a change; of a longer run that did not change, the middle is left out."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text of a difference as it is shown."""

    kind: str
    """same, removed, added; skipped: lines that did not change, left out."""
    text: str
    lines: int = 0
    """How many are left out."""


def pieces(segments: Sequence[Segment]) -> list[Piece]:
    """Return a difference as it is shown: all that changed, and `AROUND` lines of what did not."""
    found: list[Piece] = []
    for at, segment in enumerate(segments):
        lines = segment.text.split("\n")
        head = AROUND if at > 0 else 0
        tail = AROUND if at < len(segments) - 1 else 0
        left_out = len(lines) - head - tail
        if segment.kind != "same" or left_out < 2:
            found.append(Piece(segment.kind, segment.text))
            continue
        found.append(Piece("same", "\n".join(lines[:head])))
        found.append(Piece("skipped", "", left_out))
        found.append(Piece("same", "\n".join(lines[len(lines) - tail :])))
    return [piece for piece in found if piece.text or piece.lines]
