"""docs/architecture.md against the code."""

import re
import tomllib
from xml.etree import ElementTree

import grimp
import pytest

from tests.docker.deployment import compose
from tests.docs.handbook import DOCS, ROOT, first_cells, page, section

SVG = "{http://www.w3.org/2000/svg}"
LIBRARIES = {
    "fastapi": "FastAPI",
    "starlette": "FastAPI",
    "celery": "Celery",
    "kombu": "Celery",
    "sqlalchemy": "SQLAlchemy",
    "boto3": "boto3",
    "botocore": "boto3",
    "torch": "PyTorch",
    "transformers": "PyTorch",
    "segment_anything": "PyTorch",
}
"""Those that the import rules are about, by the names that the picture has for them."""


@pytest.fixture(scope="module")
def picture() -> ElementTree.Element:
    """docs/pictures/packages.svg."""
    return ElementTree.fromstring((DOCS / "pictures" / "packages.svg").read_text())


def drawn_packages(picture: ElementTree.Element) -> dict[str, set[str]]:
    """Each package with the libraries below its name."""
    found = {}
    for group in picture.iter(f"{SVG}g"):
        if group.get("class") == "package":
            name, *small = group.iter(f"{SVG}text")
            assert name.text == group.get("id")
            said = " ".join(part.strip() for text in small for part in text.itertext())
            found[name.text or ""] = set(re.findall(r"\w+", said))
    return found


def drawn_arrows(picture: ElementTree.Element) -> list[tuple[str | None, str | None]]:
    """From the package that imports to the one that is imported."""
    return sorted(
        (path.get("data-from"), path.get("data-to")) for path in picture.iter(f"{SVG}path") if path.get("data-from")
    )


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    """Of all our packages, with the libraries."""
    return grimp.build_graph("api", "db", "mainmask", "migrations", "worker", include_external_packages=True)


def imports(graph: grimp.ImportGraph, packages: list[str]) -> set[tuple[str, str]]:
    """From the package that a module is in, the innermost of these, to that of what it imports, or to a library."""

    def place(module: str) -> str:
        inside = [package for package in packages if module == package or module.startswith(f"{package}.")]
        return max(inside, key=len, default=module)

    return {
        (place(module), place(imported))
        for module in graph.modules
        for imported in graph.find_modules_directly_imported_by(module)
        if place(module) != place(imported)
    }


def test_the_picture_has_every_package(picture: ElementTree.Element, graph: grimp.ImportGraph) -> None:
    """All that are installed, and of the worker each that is inside."""
    roots = {"api", "db", "mainmask", "migrations", "worker"}
    inside = {module for module in graph.find_children("worker") if graph.find_children(module)}
    assert set(drawn_packages(picture)) == roots | inside


def test_the_arrows_are_the_imports(picture: ElementTree.Element, graph: grimp.ImportGraph) -> None:
    """Each import between two packages is an arrow, and the other way round."""
    packages = list(drawn_packages(picture))
    ours = {(one, other) for one, other in imports(graph, packages) if other in packages}
    assert drawn_arrows(picture) == sorted(ours)


def test_the_libraries_are_the_imports(picture: ElementTree.Element, graph: grimp.ImportGraph) -> None:
    """Below each package are those that it imports itself."""
    packages = drawn_packages(picture)
    imported: dict[str, set[str]] = {name: set() for name in packages}
    for one, other in imports(graph, list(packages)):
        if other in LIBRARIES:
            imported[one].add(LIBRARIES[other])
    assert packages == imported


def test_the_rules_are_the_contracts() -> None:
    """By their names; and the picture's libraries are those that they forbid to somebody."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    rules = re.findall(r"^- (.+)$", section(page("architecture.md"), "## Packages"), re.MULTILINE)
    assert rules == [contract["name"] for contract in contracts]
    forbidden = {name for contract in contracts for name in contract.get("forbidden_modules", [])}
    assert {name for name in forbidden if not (ROOT / name).exists()} == LIBRARIES.keys()


def test_the_packages_are_all_told_of(picture: ElementTree.Element) -> None:
    """In the table, too."""
    cells = first_cells(section(page("architecture.md"), "## Packages"))
    assert {name for cell in cells for name in re.findall(r"`([\w.]+)`", cell)} == set(drawn_packages(picture))


def test_the_processes_are_those_that_are_deployed() -> None:
    """All of our images' services in compose.yaml."""
    services = compose("compose.yaml")["services"]
    ours = {name for name, service in services.items() if service["image"].startswith("mainmask-")}
    told = first_cells(section(page("architecture.md"), "## Processes"))
    assert {cell.strip("`") for cell in told} == ours
