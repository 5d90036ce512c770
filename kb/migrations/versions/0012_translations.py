"""How significant a published change is, which revision a translation follows, which item of a family is the source."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("item", sa.Column("original", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("revision", sa.Column("significance", sa.String(length=24), nullable=True))
    op.add_column("revision", sa.Column("follows_id", BIG_ID, nullable=True))
    op.create_index(
        "ix_revision_significant",
        "revision",
        ["item_id", "significance"],
        unique=False,
        sqlite_where=sa.text("significance IS NOT NULL"),
        postgresql_where=sa.text("significance IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_revision_significant", "revision")
    op.drop_column("revision", "follows_id")
    op.drop_column("revision", "significance")
    op.drop_column("item", "original")
