"""docs/openapi.json, for those who generate clients without a running service."""

from api.openapi import document
from tests.docs.handbook import DOCS


def test_the_committed_document_is_the_services(environment: dict[str, str]) -> None:
    """`make generate` writes it anew."""
    assert (DOCS / "openapi.json").read_text() == document()
