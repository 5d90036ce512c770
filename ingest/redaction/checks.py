"""Check digits of numbers."""

from datetime import date

_GB11643_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_GB11643_DIGITS = "10X98765432"


def luhn(digits: str) -> bool:
    """Say whether the last digit is right by ISO/IEC 7812-1."""
    total = 0
    for place, digit in enumerate(map(int, reversed(digits))):
        doubled = digit * (1 + place % 2)
        total += doubled - 9 * (doubled > 9)
    return total % 10 == 0


def resident_id(number: str) -> bool:
    """Say whether 17 digits and a check character are a resident ID number by GB 11643-1999, day included."""
    if len(number) != 18 or not number[:17].isdecimal():
        return False
    try:
        date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return False
    total = sum(int(digit) * weight for digit, weight in zip(number, _GB11643_WEIGHTS, strict=False))
    return number[17].upper() == _GB11643_DIGITS[total % 11]


def iban(number: str) -> bool:
    """Say whether letters and digits without spaces pass ISO 7064 mod 97-10, as an IBAN (ISO 13616) does."""
    if not 15 <= len(number) <= 34:
        return False
    return int("".join(str(int(c, 36)) for c in number[4:] + number[:4])) % 97 == 1
