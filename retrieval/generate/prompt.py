"""What a language model is asked: the rules of retrieval/prompt.md, the passages as data, the question."""

import re
import secrets
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from string import Template

from kb.items import Found
from retrieval.followup import Turn

NO_ANSWER = "NO ANSWER"
"""What the model is told to write where the passages do not answer."""

_NAMES = {
    "en": "English", "zh": "Chinese", "ja": "Japanese", "ko": "Korean", "de": "German", "fr": "French", "es": "Spanish",
    "it": "Italian", "pt": "Portuguese", "nl": "Dutch", "ru": "Russian", "pl": "Polish", "tr": "Turkish",
}  # fmt: skip
# What chat templates frame turns with. Some servers take such a token for what it says wherever it stands.
_CONTROL = re.compile(
    r"<\|[^|>\n]{0,40}\|>|</?s>|\[/?INST\]|<</?SYS>>|</?(?:start|end)_of_turn>|<(?:bos|eos)>|</?think>", re.I
)


def messages(question: str, lang: str, passages: Sequence[Found]) -> list[dict[str, str]]:
    """Return the chat messages that ask `question` of `passages`, numbered from 1, to be answered in `lang`.

    Each passage is framed by lines with a mark that is new each time, so that no passage can hold it.
    """
    mark = f"=={secrets.token_hex(8)}=="
    rules = _rules().substitute(mark=mark, language=_NAMES.get(lang, f"the language of the question ({lang})"))
    framed = [
        f"{mark} passage {n}: {_inert(found.title)}{f' > {_inert(found.path)}' if found.path else ''}\n"
        f"{_inert(found.text)}\n{mark} end of passage {n}"
        for n, found in enumerate(passages, start=1)
    ]
    asked = f"{mark} question\n{_inert(question)}\n{mark} end of question"
    return [{"role": "system", "content": rules}, {"role": "user", "content": "\n\n".join([*framed, asked])}]


def rewriting(turns: Sequence[Turn], question: str) -> list[dict[str, str]]:
    """Return the chat messages that ask for `question` in full, after the turns before it."""
    lines = [
        f"- {_inert(turn.question)}" + (f" (answered by: {_inert('; '.join(turn.titles))})" if turn.titles else "")
        for turn in turns
    ]
    asked = "\n".join(["Questions so far:", *lines, "", f"New question: {_inert(question)}"])
    rules = files("retrieval").joinpath("rewrite.md").read_text(encoding="utf-8")
    return [{"role": "system", "content": rules}, {"role": "user", "content": asked}]


def _inert(text: str) -> str:
    return _CONTROL.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text)


@cache
def _rules() -> Template:
    return Template(files("retrieval").joinpath("prompt.md").read_text(encoding="utf-8"))
