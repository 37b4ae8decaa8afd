"""The far side of an endpoint: a language model that says what it is told to."""

import json
from dataclasses import replace
from typing import Any

import httpx

from worker.candidates.endpoint import Endpoint, EndpointRules

RULES = EndpointRules("http://llm.internal:11434/v1/", "small", key="secret-key", timeout_seconds=5)
TEXT = "The man skiing on his new snowboard!"


def completion(*named: tuple[str, str]) -> httpx.Response:
    """A chat completion that names (label, quote) pairs."""
    content = json.dumps({"candidates": [{"label": label, "quote": quote} for label, quote in named]})
    return httpx.Response(200, json={"choices": [{"message": {"content": content}}]})


class Model:
    """The endpoint's far side: gives its answers one after another, the last again and again."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.now = 1000.0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def endpoint(self, **rules: Any) -> Endpoint:
        return Endpoint(replace(RULES, **rules), transport=httpx.MockTransport(self), clock=lambda: self.now)
