"""One site for the fault tests; each leaves it whole, with every job ended."""

from collections.abc import Iterator

import pytest

from db.session import session_factory
from db.settings import settings as read_settings
from db.storage import object_store
from tests.faults.site import Site


def _forget_servers() -> None:
    session_factory().kw["bind"].dispose()
    for cache in (read_settings, session_factory, object_store):
        cache.cache_clear()


@pytest.fixture(scope="module")
def whole_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The processes, shared by a module's tests; this process's own look at Postgres and S3 leads to them too."""
    site = Site(tmp_path_factory.mktemp("site"))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in site.environment.items():
            patch.setenv(name, value)
        _forget_servers()
        with site:
            yield site
    _forget_servers()


@pytest.fixture
def site(whole_site: Site) -> Site:
    """The site with all of its processes running and no job accepted yet."""
    whole_site.accepted = []
    whole_site.start_all()
    return whole_site
