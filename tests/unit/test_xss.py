"""Nothing that is written into an item, or asked, becomes a script where it is shown: every known trick, every form."""

from collections.abc import Callable
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest

from api.web import rendering
from tests.xss import VECTORS

_URLS = frozenset(["href", "src", "action", "formaction", "xlink:href", "data", "background", "poster", "cite"])
_OPEN = frozenset(["", "http", "https", "mailto", "tel"])
_ACTIVE = frozenset(
    "script iframe object embed applet form input button textarea select style link meta base svg math template "
    "frame frameset audio video source details dialog noscript xmp plaintext".split()
)


class Dangers(HTMLParser):
    """Collects what could run in a browser: elements, attributes, addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _ACTIVE:
            self.found.append(f"<{tag}>")
        for name, value in attrs:
            if name.startswith("on") or name in ("style", "srcdoc", "srcset"):
                self.found.append(f"<{tag} {name}>")
            if name in _URLS and urlsplit((value or "").strip()).scheme.lower() not in _OPEN:
                self.found.append(f"<{tag} {name}={value}>")


def dangers(html: str) -> list[str]:
    parser = Dangers()
    parser.feed(html)
    parser.close()
    return parser.found


SHOWN: dict[str, Callable[[str], object]] = {
    "article": lambda text: rendering.article(text, resolve=lambda href: None),
    "answer": lambda text: rendering.answer(text, lambda n: None, resolve=lambda href: None),
    "snippet": lambda text: rendering.snippet(text, {"script", "alert", "img"}),
    "title": lambda text: rendering.marked(text, {"script", "alert", "img"}),
}


def test_there_are_some_hundred_vectors_and_the_check_sees_them() -> None:
    assert len(set(VECTORS)) > 200
    seen = [vector for vector in VECTORS if dangers(vector)]
    assert len(seen) > 100, "as markup, unclean, most of them are dangers"


@pytest.mark.parametrize("form", SHOWN)
def test_nothing_that_is_shown_can_run(form: str) -> None:
    for vector in VECTORS:
        assert dangers(str(SHOWN[form](vector))) == [], vector
        assert dangers(str(SHOWN[form](f"before\n\n{vector}\n\nafter"))) == [], vector
