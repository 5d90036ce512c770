"""Links between the pages of one source, kept: what leads to a page that is imported leads to its item.

A link is written as the target's external id, which the reader's page resolves under the reader's rights
(`api/web/rendering.py`); every other link keeps its address, made absolute.
"""

from collections.abc import Callable
from urllib.parse import quote, urldefrag, urljoin, urlsplit

from ingest.html import Converted, from_tree, tree_of
from kb.errors import UnreadableSource

Resolve = Callable[[str], str | None]
"""From the address in a link to the external id of the page it means, or None."""


def to_item(external_id: str) -> str:
    """Return the relative address that leads to the item of an external id of the same source."""
    return "/" + quote(external_id, safe="/")


def address_key(address: str) -> str:
    """Return an address in the form two spellings of one page share: no scheme, fragment or slash at the end."""
    try:
        parts = urlsplit(urldefrag(address.strip()).url)
    except ValueError:
        return ""
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.netloc.casefold()}{parts.path.rstrip('/')}{query}"


def absolute(base: str, address: str) -> str:
    """Return an address as seen from the page at `base`; as it is, where the two make none."""
    try:
        return urljoin(base, address)
    except ValueError:
        return address


def from_linked(source: str, resolve: Resolve, *, base: str = "") -> Converted:
    """Return an HTML text as Markdown, its links led to items where `resolve` knows one.

    `base`: the address of the page, for what is relative to it. Raises TooLarge if it is nested too deep.
    """
    try:
        tree = tree_of(source)
    except UnreadableSource:
        return Converted("")
    for element in tree.iter("a", "img"):
        name = "href" if element.tag == "a" else "src"
        address = (element.get(name) or "").strip()
        if not address or address.startswith("#"):
            continue
        whole = absolute(base, address) if base else address
        found = resolve(whole) if element.tag == "a" else None
        element.set(name, to_item(found) if found else whole)
    return from_tree(tree)
