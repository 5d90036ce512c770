"""Slips of the keyboard: all that are one away, and which is the likeliest."""

from hypothesis import given
from hypothesis import strategies as st

from retrieval import typos
from retrieval.typos import meant

words = st.text("abcdefghijklmnopqrstuvwxyz", min_size=2, max_size=12)


def test_each_kind_of_slip_has_its_cost() -> None:
    assert meant("pasword")["password"] == typos.DOUBLED
    assert meant("passsword")["password"] == typos.DOUBLED
    assert meant("ruoter")["router"] == typos.SWAPPED
    assert meant("roter")["router"] == typos.LEFT_OUT
    assert meant("rouxter")["router"] == typos.TOO_MANY
    assert meant("riuter")["router"] == typos.NEXT_KEY
    assert meant("seperate")["separate"] == typos.VOWEL
    assert meant("rouber")["router"] == typos.OTHER
    assert meant("outer")["router"] == typos.LEFT_OUT + typos.FIRST
    assert meant("dropbo")["dropboz"] == typos.LEFT_OUT + typos.STRANGE


@given(words, st.data())
def test_a_word_is_found_from_any_one_slip(word: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(word) - 1))
    letter = data.draw(st.sampled_from("abcxyz"))
    slips = [word[:at] + word[at + 1 :], word[:at] + letter + word[at:], word[:at] + letter + word[at + 1 :]]
    if at + 1 < len(word):
        slips.append(word[:at] + word[at + 1] + word[at] + word[at + 2 :])
    for slip in slips:
        assert slip == word or word in meant(slip)


@given(words)
def test_the_word_itself_is_never_among_them_and_none_is_further_away(word: str) -> None:
    found = meant(word)
    assert word not in found
    assert all(abs(len(candidate) - len(word)) <= 1 for candidate in found)
    assert all(cost > 0 for cost in found.values())
