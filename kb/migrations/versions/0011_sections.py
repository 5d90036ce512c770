"""What a passage's section applies to."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("passage", sa.Column("applies", sa.String(), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("passage", "applies")
