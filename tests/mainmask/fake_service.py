"""A hand-written service for the client's tests: its answers are set, its requests are kept."""

import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from copy import deepcopy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

JOB_ID = "01980000-0000-7000-8000-000000000001"
STAGES = ("classify", "detect", "segment")

RESULT: dict[str, Any] = {
    "outcome": "found",
    "main_object": {"label": "snowboard", "score": 0.83, "margin": 0.66, "ambiguous": False},
    "candidates": [{"label": "snowboard", "score": 0.83}, {"label": "man", "score": 0.17}],
    "instances": [
        {
            "label": "snowboard",
            "box": [212.0, 310.5, 401.2, 377.9],
            "box_score": 0.61,
            "mask": {
                "rle": {"size": [480, 640], "counts": "PXl02n1"},
                "area": 6120,
                "box": [212.0, 311.0, 401.0, 378.0],
                "predicted_iou": 0.93,
                "stability": 0.95,
            },
            "polygons": [[212.0, 311.0, 401.0, 311.0, 401.0, 378.0]],
            "mask_url": "http://storage/mask",
            "cutout_url": "http://storage/cutout",
            "overlay_url": "http://storage/overlay",
        }
    ],
    "models": [{"stage": "classify", "name": "tiny-clip", "revision": "1", "license": "Apache-2.0"}],
}


def document(status: str = "succeeded", **changes: Any) -> dict[str, Any]:
    """A job document of this status, with these of its members changed."""
    done = status == "succeeded"
    stage = {"status": "succeeded" if done else "pending", "attempts": int(done), "duration_ms": 41 if done else None}
    return {
        "id": JOB_ID,
        "status": status,
        "created_at": "2026-01-02T03:04:05.678Z",
        "finished_at": "2026-01-02T03:04:06.789Z" if done else None,
        "input": {"image": {"sha256": "00", "width": 640, "height": 480}, "description": "…", "labels": None},
        "stages": [{"name": name, "error": None, **stage} for name in STAGES],
        "result": deepcopy(RESULT) if done else None,
        "error": None,
        "metadata": {},
        **changes,
    }


def failed() -> dict[str, Any]:
    """The document of a job that failed while it was looking for the object."""
    return document("failed", error={"stage": "detect", "type": "out-of-memory", "message": "the GPU is full"})


def not_found() -> dict[str, Any]:
    """The document of a job whose main object is not in the picture."""
    return document(result={**RESULT, "outcome": "not_found", "instances": []})


def problem(status: int, code: str, detail: str, **headers: str) -> httpx.Response:
    """The service's answer for an error."""
    body = {"type": f"https://mainmask.dev/problems/{code}", "title": "Refused", "status": status, "detail": detail}
    return httpx.Response(status, json=body, headers={"content-type": "application/problem+json", **headers})


class FakeService:
    """Answers a submission with `accepted`, then each question for the job with the next of `answers`."""

    def __init__(self, *answers: dict[str, Any] | httpx.Response | Exception) -> None:
        """The last answer is given again and again."""
        self.accepted: httpx.Response = httpx.Response(202, json=document("queued"))
        self.answers = list(answers or [document()])
        self.requests: list[httpx.Request] = []
        self.events: httpx.Response | Exception = problem(404, "not-found", "Not Found")
        """What the job's stream of events is answered; by default there is none."""
        self.picture: bytes | None = None
        """What every download gives, instead of the path it was at."""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer as the service would, or raise as a broken network would."""
        self.requests.append(request)
        if request.method == "POST":
            return self.accepted
        if request.url.path.startswith("/storage/"):
            return httpx.Response(200, content=self.picture or request.url.path.encode())
        if request.url.path.endswith("/events"):
            return _given(self.events)
        if request.url.path != f"/v1/jobs/{JOB_ID}":
            instance = request.url.params["instance"]
            location = f"/storage/{request.url.path.rpartition('/')[2]}/{instance}"
            return httpx.Response(307, headers={"location": location})
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return httpx.Response(200, json=answer) if isinstance(answer, dict) else _given(answer)


def _given(answer: httpx.Response | Exception) -> httpx.Response:
    if isinstance(answer, Exception):
        raise answer
    return answer


def event_stream(*events: str | Exception) -> httpx.Response:
    """A stream that begins as the service's does, goes on with these texts, and breaks where there is an exception."""

    def chunks() -> Iterator[bytes]:
        yield b"retry: 2000\n\n"
        for event in events:
            if isinstance(event, Exception):
                raise event
            yield event.encode()

    async def later() -> AsyncIterator[bytes]:
        for chunk in chunks():
            yield chunk

    class Stream(httpx.SyncByteStream, httpx.AsyncByteStream):
        __iter__ = staticmethod(chunks)
        __aiter__ = staticmethod(later)

    return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=Stream())


def event(number: int, name: str, **data: Any) -> str:
    """One event of a job's stream."""
    return f"id: {number}\nevent: {name}\ndata: {json.dumps({'job_id': JOB_ID, **data})}\n\n"


@contextmanager
def serving(service: FakeService) -> Iterator[str]:
    """The service at a real address, for what cannot be given a transport."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            request = httpx.Request(self.command, f"http://fake{self.path}", headers=dict(self.headers), content=body)
            response = service(request)
            # With the service's own headers alone.
            self.send_response_only(response.status_code)
            for name, value in response.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(response.content)

        do_POST = do_DELETE = do_GET  # noqa: N815 - the standard library's names

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
