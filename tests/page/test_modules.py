"""The page's modules by themselves, in the browser, against the libraries that they agree with."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Page

from worker.pipeline.masks import encode_rle

DECODE = """async ({ rle, width, height }) => {
  const { decode } = await import("/page/rle.js");
  return Array.from(decode(rle, width, height));
}"""
random = np.random.default_rng(7)


def blob(height: int, width: int) -> NDArray[np.bool_]:
    """A mask of long and short runs."""
    rows, columns = np.mgrid[:height, :width]
    mask: NDArray[np.bool_] = (rows - height / 2) ** 2 + (columns - width / 3) ** 2 < (min(height, width) / 2.5) ** 2
    return mask ^ (random.random((height, width)) < 0.01)


MASKS = {
    "empty": np.zeros((5, 7), bool),
    "full": np.ones((5, 7), bool),
    "the first pixel": np.eye(1, 12, dtype=bool).reshape(3, 4),
    "the last pixel": np.eye(1, 12, dtype=bool)[:, ::-1].reshape(3, 4),
    "one row": random.random((1, 300)) < 0.5,
    "one column": random.random((300, 1)) < 0.5,
    "noise": random.random((61, 83)) < 0.5,
    "a blob": blob(240, 320),
    "a long run": np.repeat([[False, True, False]], 3000, axis=0).repeat([1, 900, 1], axis=1),
}


@pytest.mark.parametrize("name", MASKS)
def test_masks_are_decoded_as_they_were_encoded(home: Page, name: str) -> None:
    """COCO's own encoder says it, the page's decoder reads it: pixel for pixel."""
    mask = MASKS[name]
    height, width = mask.shape
    decoded = home.evaluate(DECODE, {"rle": encode_rle(mask), "width": width, "height": height})
    assert np.array_equal(np.asarray(decoded, bool).reshape(height, width), mask)


def test_a_mask_is_decoded_smaller(home: Page) -> None:
    """Each pixel is the one in the middle of those that it stands for."""
    mask = MASKS["a blob"]
    decoded = home.evaluate(DECODE, {"rle": encode_rle(mask), "width": 80, "height": 48})
    rows = ((np.arange(48) + 0.5) * 240 / 48).astype(int)
    columns = ((np.arange(80) + 0.5) * 320 / 80).astype(int)
    assert np.array_equal(np.asarray(decoded, bool).reshape(48, 80), mask[np.ix_(rows, columns)])


def test_each_instance_has_a_colour_and_the_smaller_lies_on_top(home: Page) -> None:
    """Where two masks overlap, the smaller one is seen, and pointed to."""
    large, small = np.zeros((40, 60), bool), np.zeros((40, 60), bool)
    large[5:35, 5:55] = True
    small[15:25, 20:30] = True
    # The smaller one first, so that the order of the list isn't what decides.
    instances = [{"mask": {"rle": encode_rle(mask), "area": int(mask.sum())}} for mask in (small, large)]
    seen: dict[str, Any] = home.evaluate(
        """async (instances) => {
          const { MaskLayer } = await import("/page/mask_layer.js");
          const layer = new MaskLayer(document.createElement("canvas"));
          layer.opacity = 1;
          layer.load(instances, 60, 40);
          const colour = (x, y) => Array.from(layer.canvas.getContext("2d").getImageData(x, y, 1, 1).data);
          return {
            small: colour(25, 20), large: colour(10, 10), nothing: colour(1, 1),
            owners: [[25 / 60, 0.5], [10 / 60, 0.25], [0, 0], [1, 1]].map(([x, y]) => layer.instanceAt(x, y)),
          };
        }""",
        instances,
    )
    assert seen["owners"] == [0, 1, None, None]
    assert seen["small"] == [255, 64, 129, 255]
    assert seen["large"] == [0, 184, 212, 255]
    assert seen["nothing"][3] == 0


STREAM = (
    "id: 1\r\nevent: job.queued\r\ndata: {}\r\n\r\n: still here\n\n"
    "event: a\ndata: one\ndata:two\n\ndata: ä:b\n\ndata: cut of"
)


@pytest.mark.parametrize("piece", [1, 7, 10_000])
def test_a_stream_is_read_whatever_its_pieces(home: Page, piece: int) -> None:
    """Lines may end in either way, comments are no events, several `data` are lines, what isn't ended doesn't count."""
    events = home.evaluate(
        """async ({ text, piece }) => {
          const { eventsOf } = await import("/page/event_stream.js");
          const bytes = new TextEncoder().encode(text);
          const body = new ReadableStream({
            start(controller) {
              for (let at = 0; at < bytes.length; at += piece) controller.enqueue(bytes.slice(at, at + piece));
              controller.close();
            },
          });
          const found = [];
          for await (const event of eventsOf(new Response(body), 1000)) found.push(event);
          return found;
        }""",
        {"text": STREAM, "piece": piece},
    )
    assert events == [
        {"id": "1", "event": "job.queued", "data": "{}"},
        {"id": None, "event": "a", "data": "one\ntwo"},
        {"id": None, "event": "message", "data": "ä:b"},
    ]


def test_a_silent_stream_is_given_up(home: Page) -> None:
    """A connection that has died quietly isn't waited for."""
    said = home.evaluate(
        """async () => {
          const { eventsOf } = await import("/page/event_stream.js");
          const events = eventsOf(new Response(new ReadableStream()), 50);
          return events.next().catch((error) => error.message);
        }"""
    )
    assert said == "the stream is silent"


def result(ambiguous: bool, *scores: float) -> dict[str, Any]:
    """A result document with candidates of these scores."""
    labels = ["cat", "dog", "cow"]
    candidates = [{"label": label, "score": score} for label, score in zip(labels, scores, strict=False)]
    return {
        "outcome": "found",
        "main_object": {**candidates[0], "ambiguous": ambiguous},
        "candidates": candidates,
        "instances": [{"box_score": 0.7}],
    }


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (result(False, 0.9, 0.1), "The main object is “cat”: 90 %, against 10 % for “dog”."),
        (result(True, 0.4, 0.38, 0.22), "Not sure. It may be “cat” or “dog”"),
        (result(False, 1.0), "“cat” was the only candidate."),
        ({**result(False, 1.0), "outcome": "not_found", "instances": []}, "But there is none in this picture"),
        ({**result(False, 1.0), "instances": [{"box_score": 0.2}]}, "Where it is, is less sure."),
        (
            {**result(False, 0.6, 0.4), "main_object": {"label": "dog", "score": 0.4, "ambiguous": False}},
            "The main object is “dog”: 40 %, against 60 % for “cat”.",
        ),
        (
            {**result(False, 0.6, 0.4), "outcome": "not_found", "instances": [], "none_fits": True},
            "This picture seems to show something else than any of the 2 candidates.",
        ),
        (
            {**result(False, 1.0), "outcome": "not_found", "instances": [], "none_fits": True},
            "This picture seems to show something else than “cat”.",
        ),
    ],
)
def test_the_verdict_says_how_sure_it_is(home: Page, document: dict[str, Any], said: str) -> None:
    """A close choice is never told as a clear one."""
    text = home.evaluate("async (result) => (await import('/page/verdict.js')).verdict(result)", document)
    assert said in text.replace("\u00a0", " ")
