"""Models' files on this machine, read through by the workers' own program."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from typing import Any

from mainmask.worker_side import NEEDED

TIMEOUT_SECONDS = 900.0
"""Gigabytes are read, perhaps from a slow disk."""
REVISION_CHARACTERS = 12
"""Of the weights' SHA-256: what the service calls their revision."""


class State(StrEnum):
    """What there is of a model."""

    WHOLE = "whole"
    MISSING = "missing"
    """Never pulled, or not to the end."""
    DAMAGED = "damaged"
    """Other files than those that were pulled."""


@dataclass(frozen=True)
class FoundModel:
    """One model's files."""

    name: str
    state: State
    revision: str | None
    """Of whole ones."""
    fault: str
    """What is wrong with them; empty of whole ones."""


class VerifyFailed(Exception):
    """The program says nothing of the models: its settings are wrong, or it knows other ones."""


def can_be_looked_at() -> bool:
    """Whether the workers' packages are here. They are found, not imported."""
    return all(find_spec(name) for name in NEEDED)


def verify(names: Sequence[str]) -> list[FoundModel]:
    """What there is of these models, or, where none is named, of those that this machine's settings need.

    It is a program of its own, because the workers' code is none of the client's; it reads the environment as they do.

    Raises:
        VerifyFailed: it could not be done.
    """
    command = [sys.executable, "-m", "worker.models", "verify", *names, "--json"]
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter, and no shell
            command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
        )
        return [_found(each) for each in json.loads(done.stdout)]
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError) as error:
        raise VerifyFailed from error


def _found(said: Mapping[str, Any]) -> FoundModel:
    state = State(said["state"])
    revision = said["sha256"][:REVISION_CHARACTERS] if state is State.WHOLE else None
    faults = {State.MISSING: f"looked for in {said['folder']}", State.DAMAGED: said.get("error", "")}
    return FoundModel(said["name"], state, revision, faults.get(state, ""))
