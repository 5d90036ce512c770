"""The first tables: spaces, items, revisions, passages, vectors, change log, keys, events"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "change_log",
        sa.Column("seq", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("item_id", BIG_ID, nullable=False),
        sa.Column(
            "operation",
            sa.Enum("create", "update", "publish", "retire", "delete", name="operation", native_enum=False, length=24),
            nullable=False,
        ),
        sa.Column("revision_id", BIG_ID, nullable=True),
        sa.Column("actor", sa.String(length=200), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_change_log_item_id", "change_log", ["item_id"], unique=False)

    op.create_table(
        "event",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("uid", sa.String(length=32), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("search", "answer", "click", "vote", name="eventkind", native_enum=False, length=24),
            nullable=False,
        ),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("visitor", sa.String(length=64), nullable=True),
        sa.Column("parent", sa.String(length=32), nullable=True),
        sa.Column("item_id", BIG_ID, nullable=True),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("uid"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_event_kind_at", "event", ["kind", "at"], unique=False)
    op.create_index("ix_event_parent", "event", ["parent"], unique=False)

    op.create_table(
        "item_label",
        sa.Column("item_id", BIG_ID, autoincrement=False, nullable=False),
        sa.Column(
            "facet",
            sa.Enum("product", "version", "topic", "group", name="facet", native_enum=False, length=24),
            nullable=False,
        ),
        sa.Column("value", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("item_id", "facet", "value"),
    )
    op.create_index("ix_item_label_facet_value", "item_label", ["facet", "value"], unique=False)

    op.create_table(
        "meta",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "space",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("parent_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["parent_id"],
            ["space.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
    )
    op.create_index("ix_space_parent_id", "space", ["parent_id"], unique=False)

    op.create_table(
        "vector",
        sa.Column("embedding_hash", sa.String(length=64), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("embedding_hash", "fingerprint"),
    )
    op.create_table(
        "api_key",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("space_id", sa.Integer(), nullable=True),
        sa.Column("groups", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["space_id"],
            ["space.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
        sa.UniqueConstraint("secret_hash"),
    )
    op.create_table(
        "item",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("uid", sa.String(length=32), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("article", "case", "lesson", "answer", name="kind", native_enum=False, length=24),
            nullable=False,
        ),
        sa.Column("space_id", sa.Integer(), nullable=False),
        sa.Column("lang", sa.String(length=16), nullable=False),
        sa.Column("family", sa.String(length=300), nullable=True),
        sa.Column(
            "audience",
            sa.Enum("internal", "partner", "customer", "public", name="audience", native_enum=False, length=24),
            nullable=False,
        ),
        sa.Column(
            "confidence",
            sa.Enum("wip", "not_validated", "validated", "archived", name="confidence", native_enum=False, length=24),
            nullable=False,
        ),
        sa.Column(
            "governance",
            sa.Enum("experience_based", "compliance_based", name="governance", native_enum=False, length=24),
            nullable=False,
        ),
        sa.Column(
            "state",
            sa.Enum("draft", "in_review", "published", "retired", name="state", native_enum=False, length=24),
            nullable=False,
        ),
        sa.Column("owner", sa.String(length=200), nullable=True),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("external_id", sa.String(length=500), nullable=False),
        sa.Column("source_hash", sa.String(length=64), nullable=True),
        sa.Column("url", sa.String(length=2000), nullable=True),
        sa.Column("live_revision_id", BIG_ID, nullable=True),
        sa.Column("draft_revision_id", BIG_ID, nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["space_id"],
            ["space.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("source", "external_id", name="uq_item_source_external_id"),
        sa.UniqueConstraint("uid"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_item_family", "item", ["family"], unique=False)
    op.create_index("ix_item_lang", "item", ["lang"], unique=False)
    op.create_index("ix_item_space_id", "item", ["space_id"], unique=False)
    op.create_index("ix_item_state_kind", "item", ["state", "kind"], unique=False)

    op.create_table(
        "revision",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("item_id", BIG_ID, nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=500), nullable=False),
        sa.Column("title_key", sa.String(length=500), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("issue", sa.String(), nullable=False),
        sa.Column("environment", sa.String(), nullable=False),
        sa.Column("resolution", sa.String(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("similar_questions", sa.JSON(), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("author", sa.String(length=200), nullable=True),
        sa.Column("message", sa.String(length=1000), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["item_id"],
            ["item.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("item_id", "n", name="uq_revision_item_n"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_revision_item_id", "revision", ["item_id"], unique=False)
    op.create_index("ix_revision_title_key", "revision", ["title_key"], unique=False)

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
        sa.ForeignKeyConstraint(
            ["item_id"],
            ["item.id"],
        ),
        sa.ForeignKeyConstraint(
            ["revision_id"],
            ["revision.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("item_id", "revision_id", "ordinal", name="uq_passage_place"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_passage_embedding_hash", "passage", ["embedding_hash"], unique=False)
    op.create_index("ix_passage_item_id", "passage", ["item_id"], unique=False)

    op.execute("INSERT INTO space (key, name) VALUES ('main', 'Main')")


def downgrade() -> None:
    op.drop_index("ix_passage_item_id", "passage")
    op.drop_index("ix_passage_embedding_hash", "passage")

    op.drop_table("passage")
    op.drop_index("ix_revision_title_key", "revision")
    op.drop_index("ix_revision_item_id", "revision")

    op.drop_table("revision")
    op.drop_index("ix_item_state_kind", "item")
    op.drop_index("ix_item_space_id", "item")
    op.drop_index("ix_item_lang", "item")
    op.drop_index("ix_item_family", "item")

    op.drop_table("item")
    op.drop_table("api_key")
    op.drop_table("vector")
    op.drop_index("ix_space_parent_id", "space")

    op.drop_table("space")
    op.drop_table("meta")
    op.drop_index("ix_item_label_facet_value", "item_label")

    op.drop_table("item_label")
    op.drop_index("ix_event_parent", "event")
    op.drop_index("ix_event_kind_at", "event")

    op.drop_table("event")
    op.drop_index("ix_change_log_item_id", "change_log")

    op.drop_table("change_log")
