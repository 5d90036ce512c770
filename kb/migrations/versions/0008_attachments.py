"""Files that items use: what they are, who sent them, which revisions name them."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "attachment",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("media", sa.String(length=100), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("added_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_table(
        "attachment_upload",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("person", sa.String(length=200), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["digest"], ["attachment.digest"]),
        sa.PrimaryKeyConstraint("digest", "person"),
    )
    op.create_table(
        "attachment_use",
        sa.Column("revision_id", BIG_ID, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("item_id", BIG_ID, nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"]),
        sa.ForeignKeyConstraint(["revision_id"], ["revision.id"]),
        sa.PrimaryKeyConstraint("revision_id", "digest"),
    )
    op.create_index("ix_attachment_use_digest", "attachment_use", ["digest"], unique=False)
    op.create_index("ix_attachment_use_item_id", "attachment_use", ["item_id"], unique=False)


def downgrade() -> None:
    op.drop_table("attachment_use")
    op.drop_table("attachment_upload")
    op.drop_table("attachment")
