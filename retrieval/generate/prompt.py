"""What a language model is asked: the rules of retrieval/prompt.md, the passages as data, the question."""

import re
import secrets
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from string import Template

from kb.compose import PATH_SEPARATOR
from kb.items import Found
from retrieval.followup import Turn
from retrieval.neighbours import BETWEEN, Context

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


def messages(question: str, lang: str, sources: Sequence[Context]) -> list[dict[str, str]]:
    """Return the chat messages that ask `question` of `sources`, numbered from 1, to be answered in `lang`.

    A passage and those beside it are one source, so that what runs over an edge reads on. Each is framed by lines with
    a mark that is new each time, so that no passage can hold it.
    """
    mark = f"=={secrets.token_hex(8)}=="
    rules = _rules().substitute(mark=mark, language=_NAMES.get(lang, f"the language of the question ({lang})"))
    framed = [
        f"{mark} passage {n}: {_headed(source.passages[0])}\n{_said(source)}\n{mark} end of passage {n}"
        for n, source in enumerate(sources, start=1)
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


def _headed(found: Found) -> str:
    return f"{_inert(found.title)}{f' > {_inert(found.path)}' if found.path else ''}"


def _said(source: Context) -> str:
    """Return what the passages say, each with its own heading where it is under another than the one before."""
    said, path = "", source.passages[0].path
    for passage in source.passages:
        heading = f"## {passage.path.rsplit(PATH_SEPARATOR, 1)[-1]}\n\n" if passage.path != path else ""
        said += f"{BETWEEN if said else ''}{heading}{passage.text}"
        path = passage.path
    return _inert(said)


def _inert(text: str) -> str:
    return _CONTROL.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text)


@cache
def _rules() -> Template:
    return Template(files("retrieval").joinpath("prompt.md").read_text(encoding="utf-8"))
