"""Which files make a checkpoint, where they are, and what is publicly known of them."""

import re
from dataclasses import dataclass
from typing import TypeGuard
from urllib.parse import urlsplit

from huggingface_hub import HfApi, errors, get_session, hf_hub_url
from huggingface_hub.hf_api import RepoSibling

from db.checkpoints import Bundled, Checkpoint, HubRepository, WebFile
from worker.models.environment import read_for
from worker.models.errors import NotAsPublished, PullRefused, PullUnreachable
from worker.pipeline.model_files import COMMIT, SHA256, WEIGHTS

HUB = "https://huggingface.co"
TIMEOUT_SECONDS = 30
TRANSPORT_ERROR: type[Exception] = errors.HTTPError  # type: ignore[attr-defined] # not declared as exported
"""The base of the errors of the HTTP library that the hub's own uses, whichever its version does."""
CONFIGURATION = frozenset(
    {
        "config.json",
        "preprocessor_config.json",
        "processor_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
        "vocab.json",
        "vocab.txt",
        "merges.txt",
    }
)
"""What transformers reads besides the weights. Repositories hold more: other frameworks' weights, pictures, code."""


@dataclass(frozen=True)
class PublishedFile:
    """One file; what isn't publicly known of it is None."""

    name: str
    url: str
    size: int | None = None
    sha256: str | None = None
    git_blob: str | None = None
    """The name that git gives to a file of this content, as the hub tells it of small files."""


@dataclass(frozen=True)
class Listing:
    """All files of a checkpoint, the weights last, at one revision of its source."""

    files: tuple[PublishedFile, ...]
    revision: str | None
    """The commit; None where there are no commits."""


def list_files(checkpoint: Checkpoint, *, mirror: str | None = None, revision: str | None = None) -> Listing:
    """Ask the checkpoint's source, or the mirror in its place, for its files.

    `revision` is the commit to stay with, where one was pulled before. Raises `PullUnreachable`, `PullRefused` and
    `NotAsPublished`.
    """
    match checkpoint.source:
        case Bundled():
            return Listing((), None)
        case WebFile(url, sha256):
            path = urlsplit(url).path
            at = f"{mirror.rstrip('/')}{path}" if mirror else url
            return Listing((PublishedFile(path.rpartition("/")[2], at, sha256=sha256),), None)
        case HubRepository():
            return _of_repository(checkpoint.source, (mirror or HUB).rstrip("/"), revision)


def _of_repository(source: HubRepository, endpoint: str, revision: str | None) -> Listing:
    where = f"{endpoint}/{source.repository}"
    with read_for(where):
        get_session()  # the client that the hub's library keeps: built here, its troubles aren't the hub's
    try:
        # Without the user's token: what is public needs none, and a mirror has no business with it.
        info = HfApi(endpoint, token=False).model_info(
            source.repository, revision=revision or source.revision, timeout=TIMEOUT_SECONDS, files_metadata=True
        )
        siblings = {sibling.rfilename: sibling for sibling in info.siblings or []}
    except errors.HfHubHTTPError as error:
        raise PullRefused(where, f"it answers {error.response.status_code}") from error
    except (TRANSPORT_ERROR, OSError) as error:
        raise PullUnreachable(where, str(error) or type(error).__name__) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise NotAsPublished(where, "it doesn't speak the hub's language") from error
    weights = next((name for name in WEIGHTS if name in siblings), None)
    if weights is None:
        raise NotAsPublished(where, f"the repository holds none of {', '.join(WEIGHTS)}")
    names = [*sorted(CONFIGURATION & siblings.keys()), weights]
    commit = info.sha
    if not _is(commit, COMMIT) or not all(_is_sane(siblings[name]) for name in names):
        raise NotAsPublished(where, "it doesn't speak the hub's language")
    files = [_published(siblings[name], source.repository, commit, endpoint) for name in names]
    return Listing(tuple(files), commit)


def _is_sane(sibling: RepoSibling) -> bool:
    """Whether size and checksum are some, where they are given: the hub's library takes anything for them."""
    has_size = sibling.size is None or (isinstance(sibling.size, int) and sibling.size >= 0)
    return has_size and (sibling.lfs is None or _is(sibling.lfs.sha256, SHA256))


def _is(value: object, pattern: re.Pattern[str]) -> TypeGuard[str]:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _published(sibling: RepoSibling, repository: str, commit: str, endpoint: str) -> PublishedFile:
    return PublishedFile(
        name=sibling.rfilename,
        url=hf_hub_url(repository, sibling.rfilename, revision=commit, endpoint=endpoint),
        size=sibling.size,
        sha256=sibling.lfs.sha256 if sibling.lfs else None,
        # That of a large file names what stands for it in git.
        git_blob=sibling.blob_id if sibling.lfs is None and _is(sibling.blob_id, COMMIT) else None,
    )
