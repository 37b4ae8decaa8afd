"""What Alembic runs: one connection, one transaction for all the revisions."""

from alembic import context
from sqlalchemy import create_engine, pool

from db.models import Base
from db.settings import settings

engine = create_engine(settings().database_url, poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection, target_metadata=Base.metadata, compare_type=True)
    with context.begin_transaction():
        # Two deployments that start at once take turns: the second finds nothing left to do.
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7283641)")
        # After that: turns may take long. Whoever comes to a table behind a migration that waits for it, waits, too.
        connection.exec_driver_sql("SET LOCAL lock_timeout = '5s'")
        context.run_migrations()
