"""The metrics of a process that serves nothing else, over HTTP."""

import logging
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from db.exposition import may_read
from db.settings import settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

logger = logging.getLogger(__name__)


def start() -> WSGIServer | None:
    """Serve the metrics where the settings say, in a thread; None where they say nothing, or the port is taken.

    A taken port ends no process: that its metrics are missing is seen where they are collected.
    """
    port = settings().metrics_port
    if port is None:
        return None
    host = settings().metrics_host
    try:
        server = make_server(host, port, _application(), ThreadingWSGIServer, handler_class=_Handler)
    except OSError as error:
        logger.error("metrics can't be served at %s:%d: %s", host, port, error.strerror)
        return None
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server


def _application() -> Callable[["WSGIEnvironment", "StartResponse"], Iterable[bytes]]:
    metrics = make_wsgi_app()

    def application(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if may_read(environ.get("HTTP_AUTHORIZATION")):
            return metrics(environ, start_response)  # type: ignore[no-any-return]  # published as a bare Callable
        start_response("401 Unauthorized", [("WWW-Authenticate", "Bearer")])
        return [b""]

    return application


class _Handler(WSGIRequestHandler):
    """Says nothing: a scrape every few seconds is no news."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's
        """Not a line for each request."""
