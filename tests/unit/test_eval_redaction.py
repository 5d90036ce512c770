"""The measure of redaction: labels that fit their sentences, and counts that can be wrong."""

from eval.redaction import Labelled, measure, sentences
from ingest.redaction import Finding, Kind, checks


def test_labels_fit_and_the_set_is_what_it_says() -> None:
    labelled = sentences("all")
    assert len(labelled) >= 300
    assert len({one.id for one in labelled}) == len(labelled)
    assert {one.id for one in sentences("tune")}.isdisjoint(one.id for one in sentences("report"))
    assert sum(not one.spans for one in labelled) >= len(labelled) / 3
    for one in labelled:
        for kind, start, end in one.spans:
            value = one.text[start:end]
            assert value == value.strip()
            assert value
            assert kind is not Kind.IBAN or checks.iban(value.replace(" ", "")), one.id


def test_a_miss_a_false_find_and_a_wrong_kind_are_counted() -> None:
    sentence = Labelled("x", "en", "Ann Bell, a@b.example", ((Kind.PERSON, 0, 8), (Kind.EMAIL, 10, 21)))

    def half(text: str, lang: str) -> list[Finding]:
        return [Finding(Kind.PERSON, 0, 3, "Ann", 1.0), Finding(Kind.SECRET, 10, 21, text[10:], 1.0)]

    rows, faults = measure([sentence], half)
    by_kind = {row.kind: row for row in rows}
    assert (by_kind[Kind.PERSON].recall, by_kind[Kind.PERSON].precision) == (0.0, 1.0)
    assert (by_kind[Kind.EMAIL].found, by_kind[Kind.EMAIL].hidden) == (0, 1)
    assert by_kind[Kind.SECRET].precision == 0.0
    assert sorted((fault.kind, fault.missed) for fault in faults) == [
        ("EMAIL", True),
        ("PERSON", True),
        ("SECRET", False),
    ]
