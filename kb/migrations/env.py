"""Run migrations on the connection that `kb.db.Database` hands over. There is no offline mode."""

from alembic import context
from sqlmodel import SQLModel

import kb.models  # noqa: F401  (its tables join the metadata)

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,
    compare_type=True,
)
context.run_migrations()
