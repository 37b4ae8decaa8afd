"""The connection to Postgres."""

from functools import lru_cache

from sqlalchemy import create_engine, exc, text
from sqlalchemy.orm import Session, sessionmaker

from db.settings import settings

OUTAGES = (exc.OperationalError, exc.InterfaceError, exc.TimeoutError)
"""What SQLAlchemy raises where Postgres can't be asked, the last when no connection became free in time.

Its other errors would come again with the same question.
"""


@lru_cache
def session_factory() -> sessionmaker[Session]:
    """Sessions on the process's one pool. Callers own the transaction: `with factory.begin() as session`."""
    engine = create_engine(
        settings().database_url,
        pool_size=16,
        max_overflow=16,
        hide_parameters=True,  # errors are logged, and parameters hold secrets and callers' words
        pool_pre_ping=True,  # a restarted Postgres costs one round trip, not one failed request a connection
        connect_args={"connect_timeout": 5, "application_name": "mainmask"},
    )
    # Rows are read after the commit to build the answer: expiring them would query again.
    return sessionmaker(engine, expire_on_commit=False)


def ping(session: Session) -> None:
    """One round trip; raises SQLAlchemy's error when Postgres doesn't answer."""
    session.execute(text("SELECT 1"))
