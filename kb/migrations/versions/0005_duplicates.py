"""Pairs of near duplicates, and where the names of merged items lead."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "duplicate_pair",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("low_id", BIG_ID, nullable=False),
        sa.Column("high_id", BIG_ID, nullable=False),
        sa.Column("low_revision_id", BIG_ID, nullable=False),
        sa.Column("high_revision_id", BIG_ID, nullable=False),
        sa.Column("probability", sa.Float(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.String(length=200), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["low_id"], ["item.id"]),
        sa.ForeignKeyConstraint(["high_id"], ["item.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("low_id", "high_id", name="uq_duplicate_pair_items"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_duplicate_pair_high_id", "duplicate_pair", ["high_id"], unique=False)
    op.create_index("ix_duplicate_pair_state_probability", "duplicate_pair", ["state", "probability"], unique=False)
    op.create_table(
        "redirect",
        sa.Column("name", sa.String(length=500), nullable=False),
        sa.Column("source_id", BIG_ID, nullable=True),
        sa.Column("via_id", BIG_ID, nullable=False),
        sa.Column("item_id", BIG_ID, nullable=False),
        sa.Column("made_by", sa.String(length=200), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["source_id"], ["item.id"]),
        sa.ForeignKeyConstraint(["via_id"], ["item.id"]),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"]),
        sa.PrimaryKeyConstraint("name"),
    )
    for column in ("source_id", "via_id", "item_id"):
        op.create_index(f"ix_redirect_{column}", "redirect", [column], unique=False)


def downgrade() -> None:
    for table in ("redirect", "duplicate_pair"):
        op.drop_table(table)
