"""Gaps and their questions; where who asked has the role; events by item."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("event", sa.Column("space_id", sa.Integer(), nullable=True))
    op.create_index("ix_event_item_id_kind", "event", ["item_id", "kind"], unique=False)
    op.create_table(
        "gap",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("space_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("item_id", BIG_ID, nullable=True),
        sa.Column("revision_id", BIG_ID, nullable=True),
        sa.Column("reason", sa.String(length=1000), nullable=False),
        sa.Column("answered", sa.Float(), nullable=False),
        sa.Column("proved_at", MOMENT, nullable=True),
        sa.Column("opened_at", MOMENT, nullable=False),
        sa.Column("changed_by", sa.String(length=200), nullable=True),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["space_id"], ["space.id"]),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"]),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    for column in ("space_id", "state", "item_id"):
        op.create_index(f"ix_gap_{column}", "gap", [column], unique=False)
    op.create_table(
        "gap_question",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("gap_id", BIG_ID, nullable=False),
        sa.Column("key", sa.String(length=500), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("lang", sa.String(length=16), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("space_id", sa.Integer(), nullable=True),
        sa.Column("case_id", BIG_ID, nullable=True),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("last_at", MOMENT, nullable=False),
        sa.Column("answered", sa.Boolean(), nullable=False),
        sa.Column("central", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["gap_id"], ["gap.id"]),
        sa.ForeignKeyConstraint(["space_id"], ["space.id"]),
        sa.ForeignKeyConstraint(["case_id"], ["item.id"]),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    for column in ("gap_id", "key", "case_id"):
        op.create_index(f"ix_gap_question_{column}", "gap_question", [column], unique=False)


def downgrade() -> None:
    for table in ("gap_question", "gap"):
        op.drop_table(table)
    op.drop_index("ix_event_item_id_kind", "event")
    op.drop_column("event", "space_id")
