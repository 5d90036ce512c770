"""A link that an import writes is one that the reader's page resolves to the same item."""

import pytest

from api.web.rendering import candidates, relative_links
from ingest.links import absolute, address_key, from_linked, to_item


@pytest.mark.parametrize("external_id", ["12", "help-2", "example/app/issues/7", "页面-3", "a b"])
@pytest.mark.parametrize("page", ["1", "deep/er/page"])
def test_the_page_resolves_what_an_import_writes(external_id: str, page: str) -> None:
    text = from_linked('<a href="https://x.example/y">there</a>', lambda address: external_id).markdown
    (href,) = relative_links(text)
    assert href.startswith(to_item(""))
    assert external_id in candidates(href, page)


def test_addresses_are_compared_without_what_does_not_tell_pages_apart() -> None:
    assert address_key("https://X.example/a/#b") == address_key("http://x.example/a") == "x.example/a"
    assert address_key("https://x.example/?p=1") != address_key("https://x.example/?p=2")
    assert address_key("http://[bad") == ""
    assert absolute("http://[bad", "a") == "a"
    assert from_linked("", lambda address: None).markdown == ""
