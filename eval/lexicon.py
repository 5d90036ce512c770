"""Make the word lists of `retrieval/lexicon/`, which correcting a question needs, from packages that have far more.

    python -m eval.lexicon ENGLISH

ENGLISH is `frequency_dictionary_en_82_765.txt` of symspellpy 6.10.1 (MIT licence): words of SCOWL's lists with Google
Books' counts. The others come from jieba 0.42.1's dictionary and pypinyin 0.55.0 (MIT licence both). Kept as files:
importing pypinyin and jieba would cost each process some 100 MB and a second, for half a megabyte.
"""

import json
import sys
from collections import Counter
from pathlib import Path

from retrieval import lexicon

MOST_ENGLISH = 40_000
LEAST_COUNT = 20
"""Count in jieba's dictionary from which on a word is common."""
NOTICE = "made by python -m eval.lexicon from pypinyin 0.55.0 and jieba 0.42.1, MIT licence both"


def common() -> set[str]:
    """Return the 3,755 characters of the first level of GB 2312."""
    codes = ((row, cell) for row in range(0xB0, 0xD8) for cell in range(0xA1, 0xFF))
    return {c for row, cell in codes if (c := bytes((row, cell)).decode("gb2312", "ignore"))}


def english(lines: list[str]) -> list[str]:
    """Return the commonest words of three and more letters, sorted, of lines of a word and its count."""
    counted = [(-int(count), word) for word, count in (line.split() for line in lines)]
    plain = [word for _, word in sorted(counted) if word.isascii() and word.isalpha() and len(word) > 2]
    return sorted(plain[:MOST_ENGLISH])


def chinese() -> list[str]:
    """Return the common words of two common characters: a line for each first one, the second ones after it."""
    allowed = common()
    seconds: dict[str, list[str]] = {}
    for word, count in sorted(_counts().items()):
        if len(word) == 2 and count >= LEAST_COUNT and allowed.issuperset(word):
            seconds.setdefault(word[0], []).append(word[1])
    return [first + "".join(found) for first, found in seconds.items()]


def pinyin() -> dict[str, str]:
    """Return the common characters of each syllable, the commonest first: whose usual reading it is, then the others.

    A space between the two; without tones, `v` for ü.
    """
    from pypinyin import Style, pinyin

    uses: Counter[str] = Counter()
    for word, count in _counts().items():
        for character in word:
            uses[character] += count
    said: dict[str, tuple[list[str], list[str]]] = {}
    for character in sorted(common(), key=lambda character: (-uses[character], character)):
        readings = dict.fromkeys(pinyin(character, style=Style.NORMAL, heteronym=True, v_to_u=False)[0])
        for place, reading in enumerate(list(readings)[:2]):
            if reading.isascii() and reading.isalpha():
                said.setdefault(reading, ([], []))[place].append(character)
    return {syllable: " ".join("".join(some) for some in said[syllable]) for syllable in sorted(said)}


def _counts() -> dict[str, int]:
    import jieba

    lines = Path(jieba.__file__).with_name("dict.txt").read_text(encoding="utf-8").splitlines()
    return {word: int(count) for word, count, *_ in (line.split(" ") for line in lines)}


if __name__ == "__main__":
    folder = Path(str(lexicon.__path__[0]))
    lines = english(Path(sys.argv[1]).read_text(encoding="utf-8-sig").splitlines())
    (folder / "english.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "chinese.txt").write_text("\n".join(chinese()) + "\n", encoding="utf-8")
    (folder / "pinyin.json").write_text(
        json.dumps({"": NOTICE, **pinyin()}, ensure_ascii=False, indent=0) + "\n", encoding="utf-8"
    )
    sys.stdout.write(f"{folder}\n")
