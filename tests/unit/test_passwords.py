"""Passwords: what is kept, what is refused, what another keyboard sends."""

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.profiles import RFC_9106_LOW_MEMORY

from kb import passwords
from kb.errors import InvalidInput

GOOD = "four plain words here"


def test_the_real_hashes_are_those_of_the_rfc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_hasher", lambda: PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY))
    kept = passwords.hash_password(GOOD)
    found = extract_parameters(kept)
    assert (found.type.name, found.memory_cost, found.time_cost) == ("ID", 64 * 1024, 3)
    assert passwords.matches(kept, GOOD)
    assert not passwords.outdated(kept)
    assert passwords.outdated(PasswordHasher(1, 8, 1).hash(GOOD))


def test_a_password_matches_itself_alone_and_nothing_matches_none() -> None:
    kept = passwords.hash_password(GOOD)
    assert GOOD not in kept
    assert kept != passwords.hash_password(GOOD), "each has a salt of its own"
    assert passwords.matches(kept, GOOD)
    assert not passwords.matches(kept, GOOD + " ")
    assert not passwords.matches(None, GOOD)
    assert not passwords.matches(None, "nobody has this password")
    assert not passwords.matches("no hash at all", GOOD)


def test_full_width_letters_are_the_same_password() -> None:
    assert passwords.matches(passwords.hash_password("ａｂｃｄ密码密码１２３４"), "abcd密码密码1234")


@pytest.mark.parametrize(
    "password", ["", "eleven char", "x" * 257, "aaaaaaaaaaaa", "ana@example.org", "Ana@Example.org123", "111222111222"]
)
def test_weak_ones_are_refused_without_being_shown(password: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        passwords.hash_password(password, known=("Ana Ito", "ana@example.org"))
    assert not password or password not in refused.value.message
