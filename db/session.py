"""The connection to Postgres."""

import math
import time
from contextlib import closing
from functools import lru_cache

import psycopg
from sqlalchemy import create_engine, event, exc, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry

from db.settings import settings

OUTAGES = (exc.OperationalError, exc.InterfaceError, exc.TimeoutError)
"""What SQLAlchemy raises where Postgres can't be asked, the last when no connection became free in time.

Its other errors would come again with the same question.
"""
IDLE_SECONDS = 1.0
"""A connection that lay idle for longer may have been cut meanwhile."""


@lru_cache
def session_factory() -> sessionmaker[Session]:
    """Sessions on the process's one pool. Callers own the transaction: `with factory.begin() as session`."""
    engine = create_engine(
        settings().database_url,
        pool_size=16,
        max_overflow=16,
        hide_parameters=True,  # errors are logged, and parameters hold secrets and callers' words
        connect_args={"connect_timeout": 5, "application_name": "mainmask"},
    )
    event.listen(engine, "checkin", _note_idle)
    event.listen(engine, "checkout", _ping_idle)
    # Rows are read after the commit to build the answer: expiring them would query again.
    return sessionmaker(engine, expire_on_commit=False)


def _note_idle(_: object, record: ConnectionPoolEntry) -> None:
    record.info["idle_since"] = time.monotonic()


def _ping_idle(connection: DBAPIConnection, record: ConnectionPoolEntry, _: object) -> None:
    """A restarted Postgres costs one round trip, not one failed request a connection.

    SQLAlchemy's own `pool_pre_ping` asks at every checkout; what was in use a moment ago needs no asking.
    """
    if time.monotonic() - record.info.get("idle_since", math.inf) < IDLE_SECONDS:
        return
    try:
        with closing(connection.cursor()) as cursor:
            cursor.execute("SELECT 1")
        connection.rollback()
    except psycopg.Error as error:
        raise exc.DisconnectionError from error  # the pool connects anew


def ping(session: Session) -> None:
    """One round trip; raises SQLAlchemy's error when Postgres doesn't answer."""
    session.execute(text("SELECT 1"))
