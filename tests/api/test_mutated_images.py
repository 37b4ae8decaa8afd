"""Damaged pictures at the door: refused as such, or accepted; never an error of ours."""

import io

import pytest
from fastapi.testclient import TestClient

from api import images
from db.errors import MainmaskError
from db.settings import settings
from tests.api.answers import submit
from tests.mutated_images import mutated, originals


def test_whole_pictures_are_measured() -> None:
    """Of every format and mode."""
    for data in originals():
        header = images.inspect(io.BytesIO(data), settings())
        assert sorted((header.width, header.height)) == [24, 32]


@pytest.mark.parametrize("seed", range(4))
def test_damaged_headers_are_read_or_refused(seed: int) -> None:
    """A thousand files a seed."""
    for data in mutated(1000, seed):
        try:
            images.inspect(io.BytesIO(data), settings())
        except MainmaskError:
            continue


def test_damaged_pictures_are_answered(client: TestClient) -> None:
    """Over HTTP: accepted, or told why not."""
    for data in mutated(200, seed=99):
        assert submit(client, data, description="a cat").status_code in {202, 400, 413, 422}
