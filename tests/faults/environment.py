"""This process's own look at a site's servers."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from db.session import session_factory
from db.settings import settings
from db.storage import object_store
from tests.faults.site import Site


@contextmanager
def looking_at(site: Site) -> Iterator[None]:
    """Within the block, `session_factory()` and `object_store()` lead to the site's Postgres and S3."""
    with mock.patch.dict(os.environ, site.environment):
        _forget_servers()
        try:
            yield
        finally:
            session_factory().kw["bind"].dispose()
            _forget_servers()


def _forget_servers() -> None:
    for cache in (settings, session_factory, object_store):
        cache.cache_clear()
