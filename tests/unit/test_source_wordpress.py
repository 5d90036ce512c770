"""A WordPress export: what is published, what stays a draft, where links lead."""

from pathlib import Path

from ingest.document import Document
from tests.unit.test_sources import found, reason, written

SITE = "https://blog.example.org"


def item(number: int, title: str, text: str, *, kind: str = "post", status: str = "publish", password: str = "") -> str:
    return (
        f"<item><title>{title}</title><link>{SITE}/{title.lower()}/</link><guid>{SITE}/?p={number}</guid>"
        f"<dc:creator>someone</dc:creator><content:encoded><![CDATA[{text}]]></content:encoded>"
        f"<excerpt:encoded><![CDATA[An excerpt]]></excerpt:encoded><wp:post_id>{number}</wp:post_id>"
        f"<wp:post_date_gmt>2026-01-02 03:04:05</wp:post_date_gmt><wp:status>{status}</wp:status>"
        f"<wp:post_type>{kind}</wp:post_type><wp:post_password>{password}</wp:post_password>"
        '<category domain="category" nicename="r"><![CDATA[Routers]]></category>'
        '<category domain="post_tag" nicename="w"><![CDATA[wifi]]></category>'
        '<category domain="post_format" nicename="f"><![CDATA[Aside]]></category>'
        "<wp:comment><wp:comment_content>A comment</wp:comment_content></wp:comment></item>"
    )


def export(*items: str) -> str:
    return (
        '<?xml version="1.0"?><rss xmlns:excerpt="https://wordpress.org/export/1.2/excerpt/" '
        'xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        'xmlns:wp="https://wordpress.org/export/1.2/"><channel><language>en-US</language>'
        f"<wp:base_blog_url>{SITE}</wp:base_blog_url>{''.join(items)}</channel></rss>"
    )


def test_posts_and_pages_with_links_between_them(tmp_path: Path) -> None:
    text = (
        f'First line\nsecond line, see <a href="{SITE}/reset/#how">resetting</a>, <a href="/?p=2">again</a> and '
        f'<a href="/gone/">gone</a>.\n\n<ul>\n<li>one</li>\n\n<li>two</li>\n</ul>\n[caption id="1"]'
        '<img src="/box.png" alt="The box" />A caption[/caption]\n\n<pre>a\n\nb</pre>'
    )
    blocks = "<!-- wp:paragraph --><p>Hold it.</p><!-- /wp:paragraph -->"
    router, reset = found(
        written(
            tmp_path,
            "export.xml",
            export(
                item(1, "Router", text),
                item(2, "Reset", blocks, kind="page"),
                item(3, "Menu", "x", kind="nav_menu_item"),
                item(4, "File", "x", kind="attachment", status="inherit"),
            ),
        )
    )
    assert isinstance(router, Document)
    assert isinstance(reset, Document)
    assert (router.external_id, router.title, router.lang, router.state) == ("1", "Router", "en", None)
    assert router.topics == ("Routers", "wifi")
    assert router.url == f"{SITE}/router/"
    assert router.updated is not None
    for kept in (
        "First line\\\nsecond line, see [resetting](/2), [again](/2)",
        f"[gone]({SITE}/gone/)",
        "- one\n- two",
        f"![The box]({SITE}/box.png)A caption",
        "```\na\n\nb\n```",
    ):
        assert kept in router.body, (kept, router.body)
    assert "comment" not in router.body
    assert reset.body == "Hold it."


def test_what_is_not_open_on_the_site_is_not_published_here(tmp_path: Path) -> None:
    outcomes = found(
        written(
            tmp_path,
            "export.xml",
            export(
                item(1, "Draft", "x", status="draft"),
                item(2, "Future", "x", status="future"),
                item(3, "Private", "x", status="private"),
                item(4, "Locked", "x", password="enter"),
                item(5, "Binned", "x", status="trash"),
                item(6, "Open", "x"),
            ),
        )
    )
    states = {d.external_id: (d.state, d.audience, d.url is None) for d in outcomes if isinstance(d, Document)}
    assert states == {**{str(n): ("draft", "internal", True) for n in range(1, 5)}, "6": (None, None, False)}


def test_a_broken_export_is_named(tmp_path: Path) -> None:
    assert "cannot be read as XML" in reason(written(tmp_path, "torn.xml", export(item(1, "A", "x"))[:-20]))
