"""The pages of the handbook."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def pages() -> dict[str, str]:
    """The text of README.md, CHANGELOG.md and of each page below docs/, by its path."""
    paths = [*ROOT.glob("*.md"), *DOCS.glob("*.md")]
    return {str(path.relative_to(ROOT)): path.read_text() for path in sorted(paths)}


def page(name: str) -> str:
    """One of docs/."""
    return (DOCS / name).read_text()


def section(text: str, heading: str) -> str:
    """What stands below the heading, up to the next one of its rank or a higher one."""
    marks = heading.partition(" ")[0]
    _, found, rest = f"\n{text}".partition(f"\n{heading}\n")
    assert found, heading
    ends = [rest.find(f"\n{marks[:rank]} ") for rank in range(1, len(marks) + 1)]
    return rest[: min((end for end in ends if end >= 0), default=len(rest))]


def first_cells(table: str) -> list[str]:
    """The first column of a table's rows, as it is written."""
    rows = [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("| ")]
    return rows[1:]
