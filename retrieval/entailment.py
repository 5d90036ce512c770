"""A model that says whether one text entails another, optional: any sentence-transformers CrossEncoder for NLI."""

import threading
from typing import Any

from kb.errors import Misconfigured, shown


class Entailment:
    """Loads the model when it is first asked (torch with it). Safe to share between threads."""

    def __init__(self, name: str) -> None:
        """`name`: an id on the hub (from the local cache, else downloaded) or a folder."""
        self._name = name
        self._lock = threading.Lock()
        self._model: Any = None
        self._at = 0

    def load(self) -> None:
        """Load the model now. Raises Misconfigured where it cannot be loaded or knows no entailment."""
        with self._lock:
            if self._model is None:
                self._model, self._at = _loaded(self._name)

    def __call__(self, premise: str, hypothesis: str) -> float:
        """Return the probability that `premise` entails `hypothesis`. Raises as `load` does."""
        self.load()
        with self._lock:  # a tokenizer of transformers is not to be used by two threads at once
            (found,) = self._model.predict([(premise, hypothesis)], apply_softmax=True, show_progress_bar=False)
        return float(found[self._at])


def _loaded(name: str) -> tuple[Any, int]:
    from sentence_transformers import CrossEncoder

    try:
        model = CrossEncoder(name, device="cpu")
    except Exception as error:
        raise Misconfigured(
            f"the model of entailment {shown(name)} cannot be loaded ({str(error).partition(chr(10))[0][:200]}): set "
            "KB_ENTAILMENT_MODEL to a CrossEncoder of sentence-transformers for NLI, by hub id or folder"
        ) from error
    labels = {int(at): str(label).lower() for at, label in model.config.id2label.items()}
    entails = [at for at, label in labels.items() if label.startswith("entail")]
    if len(entails) != 1 or len(labels) < 2:
        raise Misconfigured(
            f"the model {shown(name)} names its classes {shown(sorted(labels.values()))}: one of several has to be "
            "'entailment' for KB_ENTAILMENT_MODEL"
        )
    return model, entails[0]
