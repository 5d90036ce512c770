"""Reviews of every kind of item, with their outcomes; drafts; plans to publish or retire."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
_RENAMED = (("approved_by", "decided_by"), ("approved_at", "decided_at"))


def upgrade() -> None:
    for old, new in _RENAMED:
        op.execute(f"ALTER TABLE review RENAME COLUMN {old} TO {new}")
    op.add_column("review", sa.Column("message", sa.String(length=1000), nullable=False, server_default=""))
    op.add_column("review", sa.Column("outcome", sa.String(length=24), nullable=True))
    op.add_column("review", sa.Column("answer", sa.String(length=1000), nullable=False, server_default=""))
    op.execute("UPDATE review SET outcome = 'approved' WHERE decided_at IS NOT NULL")
    # Open is the last one, of the newest revision, of an item that is still up for review.
    op.execute(
        "UPDATE review SET outcome = 'overtaken' WHERE outcome IS NULL AND NOT ("
        "id = (SELECT MAX(r.id) FROM review r WHERE r.item_id = review.item_id)"
        " AND revision_id = (SELECT MAX(v.id) FROM revision v WHERE v.item_id = review.item_id)"
        " AND EXISTS (SELECT 1 FROM item i WHERE i.id = review.item_id AND i.state IN ('in_review', 'published')))"
    )
    op.create_index(
        "uq_review_open",
        "review",
        ["item_id"],
        unique=True,
        sqlite_where=sa.text("outcome IS NULL"),
        postgresql_where=sa.text("outcome IS NULL"),
    )
    op.create_table(
        "draft",
        sa.Column("person", sa.String(length=200), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("item_id", BIG_ID, nullable=True),
        sa.Column("based_on", sa.Integer(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("saved_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"]),
        sa.PrimaryKeyConstraint("person", "key"),
    )
    op.create_index("ix_draft_item_id", "draft", ["item_id"], unique=False)
    op.create_table(
        "plan",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("item_id", BIG_ID, nullable=False),
        sa.Column("action", sa.String(length=24), nullable=False),
        sa.Column("revision_id", BIG_ID, nullable=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("asked_by", sa.String(length=200), nullable=True),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.Column("outcome", sa.String(length=24), nullable=True),
        sa.Column("ended_by", sa.String(length=200), nullable=True),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("reason", sa.String(length=1000), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"]),
        sa.ForeignKeyConstraint(["revision_id"], ["revision.id"]),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_plan_item_id", "plan", ["item_id"], unique=False)
    op.create_index("ix_plan_outcome_at", "plan", ["outcome", "at"], unique=False)
    op.create_index(
        "uq_plan_open",
        "plan",
        ["item_id", "action"],
        unique=True,
        sqlite_where=sa.text("outcome IS NULL"),
        postgresql_where=sa.text("outcome IS NULL"),
    )


def downgrade() -> None:
    op.drop_table("plan")
    op.drop_table("draft")
    op.drop_index("uq_review_open", "review")
    op.execute("DELETE FROM review WHERE outcome IS NOT NULL AND outcome <> 'approved'")
    for name in ("answer", "outcome", "message"):
        op.drop_column("review", name)
    for old, new in _RENAMED:
        op.execute(f"ALTER TABLE review RENAME COLUMN {new} TO {old}")
