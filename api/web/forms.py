"""What people type into fields and addresses, read leniently."""


def number(text: str, digits: int) -> int | None:
    """Return a whole number of at most so many digits; None for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= digits else None


def separated(text: str, marks: str = ",，、") -> list[str]:
    """Return the parts between separators of one character each, trimmed, without empty ones."""
    for mark in marks[1:]:
        text = text.replace(mark, marks[0])
    return [part.strip() for part in text.split(marks[0]) if part.strip()]
