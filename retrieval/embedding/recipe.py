"""What decides the vectors of a model, and the fingerprint made of it."""

import hashlib
import json
from dataclasses import asdict, dataclass

RECIPE_VERSION = 1
"""Raised when the same weights and settings would give other vectors: another pooling, cleaning or quantisation."""

QUANTISATION = "int8-dynamic-per-channel, else float32"


@dataclass(frozen=True, slots=True)
class Recipe:
    """Weights and preparation of a model. Two machines with equal recipes make vectors that compare."""

    weights: str
    """sha256 that stands for the weights and all files that define the model."""
    query_prefix: str
    passage_prefix: str
    pooling: str
    """`mean`, or `own`: as the model's files say, which `weights` covers."""
    max_tokens: int | None
    """Most tokens of a text, special tokens included. None: what the model's own files say."""
    quantisation: str = QUANTISATION
    version: int = RECIPE_VERSION

    @property
    def fingerprint(self) -> str:
        """32 hexadecimal digits, of the recipe and not of what a machine made with it."""
        said = json.dumps(asdict(self), sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(said.encode()).hexdigest()[:32]
