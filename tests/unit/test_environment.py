"""What a case says of product and version, held against what an item names."""

import pytest

from kb.errors import TooLarge
from kb.items import Named
from retrieval.environment import MAX_ENVIRONMENT, NOTHING_NAMED, checked_environment, match, parts


def worth(stated: str, named: Named) -> float:
    return match(parts(stated), named).weight


def named(*products: str, versions: tuple[str, ...] = (), environment: str = "") -> Named:
    return Named(products, versions, environment)


@pytest.mark.parametrize(
    ("stated", "item", "expected"),
    [
        ("LibreOffice 7.4", named("libreoffice", versions=("7.4",)), 1),
        ("LibreOffice 7.4", named(environment="LibreOffice 7.4.2 on Windows"), 1),
        ("LibreOffice 7.4", named(environment="LibreOffice 17.4"), -0.5),
        ("LibreOffice 7.4", named(environment="LibreOffice 7.40"), -0.5),
        ("LibreOffice 7.4", named("libreoffice"), 0.5),
        ("LibreOffice 7.4", NOTHING_NAMED, 0),
        ("LibreOffice 7.4", named("calc", versions=("7.4",)), 0),
        ("Windows 11", named(environment="Windows Server 2019"), 0),
        ("app 8.0", named("vellamo-app", versions=("8.0",)), 1),
        ("维澜 App 8.0，安卓 14", named("app", versions=("8.0",)), 0.5),
        ("应用 8.0", named("應用", versions=("8.0",)), 1),
        ("ＡＰＰ ８．０", named("app", versions=("8.0",)), 1),
        ("", named("app"), 0),
    ],
)
def test_versions_are_told_apart(stated: str, item: Named, expected: float) -> None:
    assert worth(stated, item) == expected


def test_what_matched_is_told_and_what_did_not_is_not() -> None:
    found = match(parts("App 8.0 on a phone; iOS 18"), named("app", versions=("8.0",), environment="iOS 17"))
    assert found.values == ("app 8.0",)


def test_too_long_an_environment_is_refused_with_the_way_out() -> None:
    assert checked_environment(None) == ""
    assert checked_environment("  App   8.0\n") == "App 8.0"
    with pytest.raises(TooLarge, match=r"2,000 characters, not 2,001: name products"):
        checked_environment("x" * (MAX_ENVIRONMENT + 1))
