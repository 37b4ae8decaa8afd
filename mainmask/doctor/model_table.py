"""The models that a service is configured for, as it tells its callers."""

from dataclasses import dataclass

import httpx

from mainmask.address import Address
from mainmask.answers import models_in
from mainmask.errors import UnexpectedAnswer

TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True)
class NeededModel:
    """One that its workers must have."""

    name: str
    by_default: bool
    """It answers where a job names no other one; else it is one that jobs may name."""
    ready: bool
    """A worker that was heard of lately has it, whole."""
    revision: str | None
    """Of the weights that the worker has."""
    fetched_as: str
    """What `mainmask models pull` is to be told: the profile, where all of it is needed, or the model."""


def ask(address: Address) -> list[NeededModel] | None:
    """All that the service needs; None where it doesn't say, which other checks tell the cause of."""
    options = {**address.http_options, "timeout": TIMEOUT_SECONDS}
    try:
        with httpx.Client(**options) as http:
            answer = http.get("/v1/models", headers=address.headers)
        return _needed(answer) if answer.is_success else None
    except (httpx.HTTPError, UnexpectedAnswer, AttributeError, KeyError, TypeError):
        return None


def _needed(answer: httpx.Response) -> list[NeededModel]:
    table = models_in(answer)
    needed = [model for model in table["models"] if model["default"] or model["lent"]]
    profile = table["profile"]
    together = set(table["profiles"][profile].values())
    is_whole_profile = together == {model["name"] for model in needed if model["default"]}
    return [
        NeededModel(
            name=model["name"],
            by_default=model["default"],
            ready=model["ready"],
            revision=model.get("revision"),
            fetched_as=profile if is_whole_profile and model["name"] in together else model["name"],
        )
        for model in needed
    ]
