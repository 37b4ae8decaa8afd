"""One site for the fault tests; each leaves it whole, with every job ended."""

from collections.abc import Iterator

import pytest

from tests.faults.environment import looking_at
from tests.faults.site import Site


@pytest.fixture(scope="module")
def whole_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The processes, shared by a module's tests; this process's own look at Postgres and S3 leads to them too."""
    site = Site(tmp_path_factory.mktemp("site"))
    with looking_at(site), site:
        yield site


@pytest.fixture
def site(whole_site: Site) -> Site:
    """The site with all of its processes running and no job accepted yet."""
    whole_site.accepted = []
    whole_site.start_all()
    return whole_site
