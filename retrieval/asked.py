"""Questions asked again, or by several threads at the same moment, are computed once."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future

from retrieval.types import Vector


class Asked:
    """Keeps the vectors of the questions asked last, at most `most`. Safe to use from several threads."""

    def __init__(self, embed: Callable[[str], Vector], most: int) -> None:
        self._embed = embed
        self._most = most
        self._vectors: OrderedDict[str, Future[Vector]] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, text: str) -> Vector:
        """Return the vector of a question; whoever asks what another thread is computing waits for that one.

        Raises what computing it raises, to all who waited; an error is not remembered.
        """
        with self._lock:
            found = self._vectors.get(text)
            mine = found is None
            if found is None:
                found = self._vectors[text] = Future()
                if len(self._vectors) > self._most:
                    self._vectors.popitem(last=False)
            else:
                self._vectors.move_to_end(text)
        if mine:
            try:
                found.set_result(self._embed(text))
            except BaseException as error:
                with self._lock:
                    if self._vectors.get(text) is found:
                        del self._vectors[text]
                found.set_exception(error)
                raise
        return found.result()
