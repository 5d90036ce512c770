"""Alembic migrations of the database of record."""

HEAD = "0013"
"""The newest migration; a test holds it to the scripts."""

KNOWN = frozenset(
    {"0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010", "0011", "0012", "0013"}
)
"""All migrations that this program can start from."""
