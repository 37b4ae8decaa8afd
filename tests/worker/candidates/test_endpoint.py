"""The operator's language model: what it is asked, what is believed of its answer, and what it may cost."""

import json
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.worker.candidates.language_model import RULES, TEXT, Model, completion
from worker.candidates.answers import LONGEST_LABEL, read_answer
from worker.candidates.endpoint import MAXIMUM_ANSWER_BYTES, REST_SECONDS
from worker.candidates.problems import EndpointFailed


def test_the_description_is_sent_as_data_and_the_answer_s_form_is_demanded() -> None:
    """To the configured address, with the key, a bound on tokens and a JSON schema; the text is JSON within JSON."""
    model = Model(completion(("man", "man"), ("snowboard", "snowboard")))
    assert model.endpoint(maximum_tokens=77).read(TEXT) == ["man", "snowboard"]
    (request,) = model.requests
    assert str(request.url) == "http://llm.internal:11434/v1/chat/completions"
    assert request.headers["authorization"] == "Bearer secret-key"
    body = json.loads(request.content)
    assert (body["model"], body["max_tokens"], body["temperature"]) == ("small", 77, 0)
    assert body["response_format"]["json_schema"]["strict"] is True
    assert json.loads(body["messages"][1]["content"]) == {"description": TEXT}


@pytest.mark.parametrize(
    ("named", "text", "labels"),
    [
        ([("Man", "The man"), ("snowboard", "new snowboard")], TEXT, ["man", "snowboard"]),
        ([("man", "man"), ("tree", "tree")], TEXT, ["man"]),  # made up
        ([("tree", "")], TEXT, None),
        ([("tree", "!")], TEXT, None),
        ([("board", "board")], TEXT, None),  # only a part of a word
        ([("cat", "кошка")], "кошка на столе", ["cat"]),  # a translation
        ([("cat", "猫")], "黒い猫がいる", ["cat"]),
        ([("mouse", "Mice")], "three mice", ["mouse"]),
        ([("man", "man"), ("man", "The man")], TEXT, ["man"]),
        ([("x" * (LONGEST_LABEL + 1), "man")], TEXT, None),
        ([("a man who is skiing on a new snowboard", "man")], TEXT, None),  # a sentence, no label
        ([("<b>man</b>", "man"), ("man\n\nrm -rf", "man"), ("man", "man")], TEXT, ["man rm -rf", "man"]),
        ([], TEXT, []),
    ],
)
def test_only_what_the_description_bears_out_is_believed(
    named: list[tuple[str, str]], text: str, labels: list[str] | None
) -> None:
    """Each label comes with a quote of the text, and is short and plain; where none is left the reading failed."""
    content = json.dumps({"candidates": [{"label": label, "quote": quote} for label, quote in named]})
    if labels is None:
        with pytest.raises(EndpointFailed):
            read_answer(content, text)
    else:
        assert read_answer(content, text) == labels


@given(
    content=st.text() | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(json.dumps), text=st.text()
)
def test_any_answer_gives_sane_labels_or_a_failure(content: str, text: str) -> None:
    """Whatever a model says, its caller gets short labels or `EndpointFailed`."""
    try:
        labels = read_answer(content, text)
    except EndpointFailed:
        return
    assert all(0 < len(label) <= LONGEST_LABEL for label in labels)


BAD = {
    "no JSON": httpx.Response(200, text="<html>"),
    "no choices": httpx.Response(200, json={}),
    "a list": httpx.Response(200, json=[]),
    "a refusal": httpx.Response(200, json={"choices": [{"message": {"content": None, "refusal": "no"}}]}),
    "prose": httpx.Response(200, json={"choices": [{"message": {"content": "Sure! A man."}}]}),
    "cut off": httpx.Response(200, json={"choices": [{"message": {"content": '{"candidates": [{"label": "m'}}]}),
    "too long": httpx.Response(200, content=b" " * (MAXIMUM_ANSWER_BYTES + 1)),
    "unauthorized": httpx.Response(401),
    "not found": httpx.Response(404),
    "a bad request": httpx.Response(400, json={"error": {"message": "no such model", "param": "model"}}),
    "a bad request without words": httpx.Response(400, json=["max_tokens"]),
    "a bad request of nonsense": httpx.Response(400, text="[" * 50_000),
    "a redirect": httpx.Response(307, headers={"Location": "http://elsewhere.example/"}),
}


@pytest.mark.parametrize("answer", BAD.values(), ids=BAD)
def test_what_is_no_answer_is_not_asked_for_again(answer: httpx.Response) -> None:
    """One call, and a failure that names nothing of the operator's."""
    model = Model(answer)
    with pytest.raises(EndpointFailed) as failure:
        model.endpoint().read(TEXT)
    assert len(model.requests) == 1
    assert not any(secret in str(failure.value) for secret in ("llm.internal", "secret-key"))


@pytest.mark.parametrize(
    "trouble",
    [httpx.Response(503), httpx.Response(429), httpx.ReadTimeout("slow"), httpx.ConnectError("refused")],
    ids=["503", "429", "timeout", "refused"],
)
def test_passing_trouble_is_tried_once_more(trouble: httpx.Response | Exception) -> None:
    """The second attempt may do."""
    model = Model(trouble, completion(("man", "man")))
    assert model.endpoint().read(TEXT) == ["man"]


def refusal(**error: object) -> httpx.Response:
    """As OpenAI says what is wrong with a request."""
    return httpx.Response(400, json={"error": error})


REFUSALS = {
    "max_tokens": refusal(
        message="Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens'.",
        type="invalid_request_error",
        param="max_tokens",
        code="unsupported_parameter",
    ),
    "temperature": refusal(message="Only the default is supported.", param="temperature", code="unsupported_value"),
    "in words alone": refusal(message="`temperature` is deprecated for this model.", param=None),
    "no more than words": httpx.Response(400, json={"error": "unknown field max_tokens"}),
}


def parameters(request: httpx.Request) -> set[str]:
    """Those of a request that not every model takes."""
    return set(json.loads(request.content)) & {"max_tokens", "max_completion_tokens", "temperature"}


OLDER, NEWER = {"max_tokens", "temperature"}, {"max_completion_tokens"}


@pytest.mark.parametrize("refused", REFUSALS.values(), ids=REFUSALS)
def test_a_model_that_refuses_the_older_parameters_is_asked_with_the_newer(refused: httpx.Response) -> None:
    """Once more at once, and from then on: of each description one call is made."""
    model = Model(refused, completion(("man", "man")))
    endpoint = model.endpoint(maximum_tokens=77)
    assert [endpoint.read(f"man {number}") for number in range(3)] == [["man"]] * 3
    assert [parameters(request) for request in model.requests] == [OLDER, NEWER, NEWER, NEWER]
    assert json.loads(model.requests[1].content)["max_completion_tokens"] == 77


def test_a_model_that_refuses_the_newer_parameters_too_is_asked_with_the_older_again() -> None:
    """What it refused was that one request: it may know no others."""
    refused = refusal(message="'max_tokens' is too large for this description", param="max_tokens")
    model = Model(refused, refused, completion(("man", "man")))
    endpoint = model.endpoint()
    with pytest.raises(EndpointFailed, match="status 400"):
        endpoint.read("a long man")
    assert endpoint.read("a man") == ["man"]
    assert [parameters(request) for request in model.requests] == [OLDER, NEWER, OLDER]


def test_asking_with_the_newer_parameters_is_a_call_of_its_own() -> None:
    """And is counted."""
    model = Model(REFUSALS["max_tokens"], completion(("man", "man")))
    with pytest.raises(EndpointFailed, match="used up"):
        model.endpoint(calls_per_minute=1).read(TEXT)
    assert len(model.requests) == 1


def test_after_a_failure_the_endpoint_rests() -> None:
    """Not every job waits for the same timeout; after half a minute it is tried again."""
    model = Model(httpx.ReadTimeout("slow"))
    endpoint = model.endpoint()
    for text in ("a man", "a cat", "a dog"):
        with pytest.raises(EndpointFailed):
            endpoint.read(text)
    assert len(model.requests) == 2
    model.now += REST_SECONDS + 1
    model.answers = [completion(("dog", "dog"))]
    assert endpoint.read("a dog") == ["dog"]


def test_the_same_text_is_asked_once() -> None:
    """Also where many ask at the same time; failures aren't kept."""
    model = Model(completion(("man", "man")))
    endpoint = model.endpoint()
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(endpoint.read, [TEXT] * 16))
    assert answers == [["man"]] * 16
    assert len(model.requests) == 1


def test_calls_a_minute_are_bounded() -> None:
    """Over it the reading fails at once, and the next minute is a new one."""
    model = Model(completion(("man", "man")))
    endpoint = model.endpoint(calls_per_minute=2)
    assert [endpoint.read(f"man {number}") for number in range(2)] == [["man"]] * 2
    with pytest.raises(EndpointFailed, match="used up"):
        endpoint.read("man 3")
    model.now += 61
    assert endpoint.read("man 3") == ["man"]


def test_a_long_description_is_not_sent() -> None:
    """It would cost more than the operator said."""
    model = Model(completion(("man", "man")))
    with pytest.raises(EndpointFailed, match="not sent"):
        model.endpoint(maximum_characters=10).read("a man " * 3)
    assert model.requests == []


def test_the_key_is_not_shown() -> None:
    """Rules may come into a log."""
    assert "secret-key" not in repr(RULES)
