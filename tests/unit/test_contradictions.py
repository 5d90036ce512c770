"""What two resolutions of one issue say differently, and what only looks like it."""

import pytest

from eval.contradictions import judged, told
from retrieval.contradictions import Fields, contradiction


def fields(resolution: str, environment: str = "") -> Fields:
    return Fields("Reset the router", environment, resolution)


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        ("Hold the button for 12 seconds.", "Hold the button for 5 seconds.", "number"),
        ("按住重置键12秒。", "按住重置键5秒。", "number"),
        ("Install version 4.2.1 of the app.", "Install version 4.3.0 of the app.", "version"),
        ("Install the driver PX-210.", "Install the driver PX-330.", "version"),
        (
            "The reset deletes the port forwarding rules.",
            "The reset does not delete the port forwarding rules.",
            "negation",
        ),
        ("请打开省电模式。", "请关闭省电模式。", "opposite"),
    ],
)
def test_a_contradiction_is_found_either_way_round(one: str, other: str, kind: str) -> None:
    for here, there in ((one, other), (other, one)):
        found = contradiction(fields(here), fields(there))
        assert found is not None
        assert (found.kind, found.here, found.there) == (kind, here, there)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Hold the button for 12 seconds.", "Press and hold the button for twelve seconds."),
        ("Hold the button for 12 seconds.", "Wait 5 minutes for the update."),
        ("1. Hold the button.\n2. Wait.", "3. Hold the button.\n4. Wait."),
        ("Hold it for 12 seconds, then wait 30 seconds.", "Hold it for 12 seconds."),
        ("", "Hold the button for 12 seconds."),
        ("", ""),
    ],
)
def test_what_agrees_or_is_of_something_else_is_none(one: str, other: str) -> None:
    assert contradiction(fields(one), fields(other)) is None


def test_other_environments_excuse_it() -> None:
    one, other = "Install version 4.2.1 of the app.", "Install version 4.3.0 of the app."
    assert contradiction(fields(one, "Android 12"), fields(other, "Android 14")) is None
    assert contradiction(fields(one, "Android 12"), fields(other, "Android 12")) is not None


def test_it_is_right_on_most_of_the_written_pairs() -> None:
    rows = [row for row in judged() if not row.tuning]
    for lang in ("en", "zh"):
        found = told(rows, lang)
        assert found.pairs >= 15
        assert found.precision is not None
        assert found.recall is not None
        assert found.precision >= 0.85
        assert found.recall >= 0.8
