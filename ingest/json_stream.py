"""The records of a JSON export that may be larger than memory: an array, or an object of arrays, read bit by bit."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from ingest.document import Limits
from ingest.reading import checked_size, encoding_of
from kb.errors import TooLarge, UnreadableSource, shown

_STEP = 1 << 20
"""Characters read at once."""
_DECODER = json.JSONDecoder()


def records(path: Path, limits: Limits) -> Iterator[tuple[str, int, Any]]:
    """Yield (name of the array, number from 1, value) for each value in the arrays of the top level.

    The name is empty where the file is one array. What else the top level holds is passed over. Raises TooLarge over
    the limits, UnreadableSource if the file is not JSON (what came before was good).
    """
    if checked_size(path, limits.export_bytes) == 0:
        raise UnreadableSource(f"{shown(path.name)} is empty")
    try:
        with path.open("rb") as raw:
            sample = raw.read(_STEP)
        encoding = encoding_of(sample, path.name, whole=len(sample) < _STEP)
        with path.open(encoding=encoding) as file:
            yield from _Reader(file, path.name, limits.document_characters * 8).top()
    except UnicodeDecodeError as error:
        raise UnreadableSource(f"{shown(path.name)} is not {error.encoding} throughout: save it as UTF-8") from error
    except OSError as error:
        raise UnreadableSource(f"{shown(path.name)} cannot be read: {error.strerror or error}") from error


class _Reader:
    """A window over a file: the text from the next character to be read on."""

    def __init__(self, file: TextIO, name: str, longest: int) -> None:
        self._file = file
        self._name = name
        self._longest = longest
        self._text = ""
        self._at = 0
        self._passed = 0
        self._ended = False

    def top(self) -> Iterator[tuple[str, int, Any]]:
        opener = self._next()
        if opener == "[":
            yield from self._array("")
        elif opener == "{":
            while self._next(peek=True) == '"':
                key = self._value()
                self._expect(":")
                if self._next(peek=True) == "[":
                    self._next()
                    yield from self._array(key)
                else:
                    self._value()
                if self._next(peek=True) == ",":
                    self._next()
            self._expect("}")
        else:
            raise self._broken("it starts with neither an object nor an array")
        if self._next(peek=True):
            raise self._broken("something stands after its end")

    def _array(self, name: str) -> Iterator[tuple[str, int, Any]]:
        number = 0
        while self._next(peek=True) not in ("]", ""):
            number += 1
            yield name, number, self._value()
            if self._next(peek=True) == ",":
                self._next()
            elif self._next(peek=True) != "]":
                break
        self._expect("]")

    def _value(self) -> Any:
        self._next(peek=True)
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except RecursionError as error:
                raise UnreadableSource(f"{shown(self._name)} is nested too deep to be read") from error
            except ValueError as error:
                if len(self._text) - self._at > self._longest:
                    raise TooLarge(
                        f"a record of {shown(self._name)} has more than {self._longest:,} characters: split it"
                    ) from error
                if not self._fill():
                    raise self._broken(str(error).split(":")[0].lower()) from error
                continue
            # A number at the very end of the window may go on beyond it.
            if end == len(self._text) and self._fill():
                continue
            self._at = end
            return value

    def _next(self, *, peek: bool = False) -> str:
        """Return the next character that is not white space, or nothing at the end."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in " \t\r\n\ufeff":
                self._at += 1
            if self._at < len(self._text):
                found = self._text[self._at]
                self._at += not peek
                return found
            if not self._fill():
                return ""

    def _expect(self, char: str) -> None:
        if (found := self._next()) != char:
            raise self._broken(f"{shown(found)} stands where {shown(char)} is due" if found else "it ends too early")

    def _fill(self) -> bool:
        """Read on, at least as much as the window holds, so that a long value is not tried over and over."""
        self._text = self._text[self._at :]
        self._passed += self._at
        self._at = 0
        if self._ended:
            return False
        more = self._file.read(max(_STEP, len(self._text)))
        self._ended = not more
        self._text += more
        return bool(more)

    def _broken(self, why: str) -> UnreadableSource:
        return UnreadableSource(f"{shown(self._name)} is not JSON at character {self._passed + self._at:,}: {why}")
