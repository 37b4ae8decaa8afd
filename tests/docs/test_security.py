"""docs/security.md: each line of its table points at code and at tests."""

import re

from db.settings import Settings
from tests.docs.handbook import ROOT, page, section


def rows() -> list[list[str]]:
    """The cells of the table of threats, without its heading."""
    table = section(page("security.md"), "## What is protected, from whom")
    lines = [line for line in table.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[1:]]


def test_each_defence_names_its_code_and_its_tests() -> None:
    """Files and folders that there are; tests by name, or a module of them."""
    assert len(rows()) >= 15
    for who, what, _, code, tests in rows():
        files, proofs = re.findall(r"`([^`]+)`", code), re.findall(r"`([^`]+)`", tests)
        assert files, (who, what)
        assert proofs, (who, what)
        assert all((ROOT / file).exists() for file in files), files
        assert all(re.fullmatch(r"tests/[\w/]+\.py|test_\w+", proof) for proof in proofs), proofs


def test_the_ports_are_counted() -> None:
    """As many as the settings allow by themselves."""
    assert "on four ports" in page("security.md")
    assert len(Settings.model_fields["outgoing_allowed_ports"].default) == 4
