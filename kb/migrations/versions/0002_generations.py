"""Generations of the index; passages belong to one.

Passages are derived: they are cut anew from the revisions, and find their vectors again, which are kept by the hash of
the text.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
STATES = ("building", "active", "kept", "removing", "removed")


def upgrade() -> None:
    op.create_table(
        "generation",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("embedder", sa.String(length=1000), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("passage_tokens", sa.Integer(), nullable=False),
        sa.Column("analyzer", sa.String(length=32), nullable=False),
        sa.Column("state", sa.Enum(*STATES, native_enum=False, length=24), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("judged", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index(
        "uq_generation_active",
        "generation",
        ["state"],
        unique=True,
        sqlite_where=sa.text("state = 'active'"),
        postgresql_where=sa.text("state = 'active'"),
    )
    _drop_passages()
    _create_passages(
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["generation"], ["generation.number"]),
        place=["item_id", "generation", "revision_id", "ordinal"],
    )
    op.create_index("ix_passage_generation", "passage", ["generation", "id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_passage_generation", "passage")
    _drop_passages()
    _create_passages(place=["item_id", "revision_id", "ordinal"])
    op.drop_index("uq_generation_active", "generation")
    op.drop_table("generation")


def _drop_passages() -> None:
    op.drop_index("ix_passage_item_id", "passage")
    op.drop_index("ix_passage_embedding_hash", "passage")
    op.drop_table("passage")


def _create_passages(*more: sa.schema.SchemaItem, place: list[str]) -> None:
    op.create_table(
        "passage",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("item_id", BIG_ID, nullable=False),
        sa.Column("revision_id", BIG_ID, nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("path", sa.String(length=1000), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("search_text", sa.String(), nullable=False),
        sa.Column("embedding_hash", sa.String(length=64), nullable=False),
        sa.Column("chunker", sa.String(length=32), nullable=False),
        *more,
        sa.ForeignKeyConstraint(["item_id"], ["item.id"]),
        sa.ForeignKeyConstraint(["revision_id"], ["revision.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint(*place, name="uq_passage_place"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_passage_embedding_hash", "passage", ["embedding_hash"], unique=False)
    op.create_index("ix_passage_item_id", "passage", ["item_id"], unique=False)
