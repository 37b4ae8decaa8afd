"""Moments that callers name."""

from typing import Annotated

from pydantic import AwareDatetime, BeforeValidator


def _check_is_written_out(time: object) -> object:
    if isinstance(time, str) and "-" not in time[1:]:
        raise ValueError("a time is written like 2026-01-31T12:00:00Z")
    return time


# Pydantic takes seconds since 1970, too, which the schema doesn't say.
Time = Annotated[AwareDatetime, BeforeValidator(_check_is_written_out)]
