"""What is asked of Postgres, listened to."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import event

from db.session import session_factory


@contextmanager
def listened_to() -> Iterator[list[str]]:
    """The statements that this process sends within the block, as they come."""
    statements: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        statements.append(statement)

    engine = session_factory().kw["bind"]
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)
