"""One file over HTTP: streamed, taken up where it broke off, and compared with what is known of it."""

import errno
import hashlib
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from worker.models.environment import read_for
from worker.models.errors import DiskFailed, NotAsPublished, PullRefused, PullUnreachable
from worker.models.listing import PublishedFile
from worker.pipeline.model_files import UNFINISHED

TIMEOUT = httpx.Timeout(30.0)
ATTEMPTS = 5
"""How often a connection may break before we give up, if nothing came in between."""
PAUSE_SECONDS = 1.0

Progress = Callable[[int, int | None], None]
"""Is told how many bytes are there, and how many there will be, where that is known."""


class Broken(Exception):
    """The connection broke off."""


def download(file: PublishedFile, folder: Path, progress: Progress) -> str:
    """Put the file into the folder, under its name only once it is whole; returns its SHA-256.

    What came before a break is kept beside it as `.part`, also for the next call. Raises `PullUnreachable`,
    `PullRefused`, `NotAsPublished` and `DiskFailed`.
    """
    with read_for(file.url):
        client = httpx.Client(timeout=TIMEOUT, follow_redirects=True, headers={"Accept-Encoding": "identity"})
    with client:
        try:
            return _make(client, file, folder, progress)
        except OSError as error:
            raise DiskFailed(folder, error.strerror or str(error)) from error


def _make(client: httpx.Client, file: PublishedFile, folder: Path, progress: Progress) -> str:
    part = folder / (file.name + UNFINISHED)
    resumed = part.exists()
    _fetch(client, file, part, progress)
    digest = _sha256(part)
    if resumed and _difference(file, part, digest):
        # The beginning may be that of another version: once more, from the start.
        part.unlink()
        _fetch(client, file, part, progress)
        digest = _sha256(part)
    if difference := _difference(file, part, digest):
        part.unlink()
        raise NotAsPublished(file.url, difference)
    part.replace(folder / file.name)
    return digest


def _fetch(client: httpx.Client, file: PublishedFile, part: Path, progress: Progress) -> None:
    """Until all of it is there; a broken connection is taken up again."""
    attempts = ATTEMPTS
    while True:
        before = _size(part)
        try:
            _stream(client, file, part, progress)
        except (httpx.TransportError, Broken) as error:
            # As long as it moves, it may break as often as it likes.
            attempts = ATTEMPTS if _size(part) > before else attempts - 1
            if not attempts:
                raise PullUnreachable(file.url, str(error) or type(error).__name__) from error
            time.sleep(PAUSE_SECONDS)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise PullRefused(file.url, str(error)) from error
        else:
            return


def _stream(client: httpx.Client, file: PublishedFile, part: Path, progress: Progress) -> None:
    start = _size(part)
    if file.size is not None and start == file.size:
        return
    headers = {"Range": f"bytes={start}-"} if start else {}
    with client.stream("GET", file.url, headers=headers) as response:
        if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            # There is no more than what we have, or less: the checksum tells.
            if response.headers.get("content-range") != f"bytes */{start}":
                part.unlink()
                raise Broken("the part that was there is longer than the file")
            return
        _check(response, file)
        if response.status_code != httpx.codes.PARTIAL_CONTENT:
            start = 0
        elif not response.headers.get("content-range", "").startswith(f"bytes {start}-"):
            raise PullRefused(file.url, "it answers with another part than the one asked for")
        _write(response, part, start, _total(response, file, start), progress)


def _check(response: httpx.Response, file: PublishedFile) -> None:
    if response.is_server_error or response.status_code == httpx.codes.TOO_MANY_REQUESTS:
        raise Broken(f"it answers {response.status_code} {response.reason_phrase}")
    if not response.is_success:
        raise PullRefused(file.url, f"it answers {response.status_code} {response.reason_phrase}")
    if response.headers.get("content-type", "").startswith("text/html"):
        raise NotAsPublished(file.url, "it is a web page, as of an error, a login or a proxy")


def _total(response: httpx.Response, file: PublishedFile, start: int) -> int | None:
    length = response.headers.get("content-length", "")
    total = start + int(length) if length.isdigit() else None
    if file.size is not None and total is not None and total != file.size:
        raise NotAsPublished(file.url, f"it has {total:,} bytes instead of {file.size:,}")
    return file.size or total


def _write(response: httpx.Response, part: Path, start: int, total: int | None, progress: Progress) -> None:
    if total is not None and shutil.disk_usage(part.parent).free < total - start:
        raise OSError(errno.ENOSPC, f"the disk has no room for the {total - start:,} bytes of {part.stem}")
    done = start
    with part.open("ab" if start else "wb") as target:
        # As it comes: what is gathered into larger chunks would be lost when the connection breaks.
        for chunk in response.iter_raw():
            target.write(chunk)
            done += len(chunk)
            if total is not None and done > total:
                part.unlink()
                raise NotAsPublished(str(response.url), f"it has more than {total:,} bytes")
            progress(done, total)
    if total is not None and done != total:
        raise Broken(f"it ended after {done:,} of {total:,} bytes")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _git_blob(path: Path) -> str:
    """The name that git gives to this content: the SHA-1 of a header and the content."""
    name = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            name.update(chunk)
    return name.hexdigest()


def _difference(file: PublishedFile, path: Path, digest: str) -> str:
    """What isn't as published, in words; empty if all is.

    Where nothing is known of it, whatever comes first is trusted, and checked from then on.
    """
    if file.sha256 and digest != file.sha256:
        return f"its SHA-256 begins with {digest[:12]}, not {file.sha256[:12]}"
    if file.git_blob and (blob := _git_blob(path)) != file.git_blob:
        return f"to git its content is {blob[:12]}, not {file.git_blob[:12]}"
    return ""
