"""The `Idempotency-Key` header: a request that is sent again does nothing again."""

from typing import Annotated

from fastapi import Header
from pydantic import StringConstraints

IdempotencyKey = Annotated[
    Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$")] | None,
    Header(
        description="Any text of your own. A request that comes again with the same key and the same content gets the "
        "first one's answer, however often and whenever within a day; with other content it is refused."
    ),
]
