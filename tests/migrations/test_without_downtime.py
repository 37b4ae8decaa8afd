"""A migration can run while the release before it serves: what docs/operations.md asks of its author."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from db.settings import settings
from migrations.schema import config

REVISIONS = sorted((Path(__file__).parents[2] / "migrations" / "versions").glob("[0-9]*.py"))
BEFORE_THE_FIRST_RELEASE = {"0002", "0003", "0006"}
"""They drop, or take back defaults. Nothing was released before 0008, so no other code had to go on."""


def contractions(source: str) -> Iterator[str]:
    """What an upgrade does that older code may not survive."""
    (upgrade,) = [
        node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef) and node.name == "upgrade"
    ]
    for call in (node for node in ast.walk(upgrade) if isinstance(node, ast.Call)):
        if isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == "op":
            said = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
            if _breaks(call, said):
                yield ast.unparse(call)


def _breaks(call: ast.Call, said: dict[str | None, str]) -> bool:
    match ast.unparse(call.func):
        case "op.drop_constraint":
            return said.get("type_") != "'check'"  # whoever asks for less breaks nobody
        case "op.alter_column":
            return said.get("nullable") != "True" or bool(said.keys() & {"type_", "new_column_name", "server_default"})
        case "op.add_column":
            column = ast.unparse(call.args[1])
            return "nullable=False" in column and "server_default=" not in column
        case "op.create_check_constraint" | "op.create_foreign_key":
            return said.get("postgresql_not_valid") != "True"
        case name:
            return name.startswith(("op.drop_", "op.rename_"))


@pytest.mark.parametrize("path", REVISIONS, ids=lambda path: path.stem)
def test_a_revision_expands_or_says_that_it_contracts(path: Path) -> None:
    """Older code goes on working, unless the docstring says which code must be gone."""
    source = path.read_text()
    if path.stem[:4] in BEFORE_THE_FIRST_RELEASE or "Contract:" in (ast.get_docstring(ast.parse(source)) or ""):
        assert list(contractions(source))
    else:
        assert list(contractions(source)) == []


@pytest.mark.parametrize(
    "call",
    [
        "op.drop_column('jobs', 'label')",
        "op.rename_table('jobs', 'tasks')",
        "op.alter_column('jobs', 'label', nullable=False)",
        "op.alter_column('jobs', 'label', server_default=None)",
        "op.alter_column('jobs', 'label', new_column_name='name', nullable=True)",
        "op.add_column('jobs', sa.Column('label', sa.Text(), nullable=False))",
        "op.create_check_constraint('status', 'jobs', 'true')",
        "op.drop_constraint('fk_jobs_batch_id_batches', 'jobs', type_='foreignkey')",
    ],
)
def test_what_contracts_is_seen(call: str) -> None:
    """The rules can fail."""
    assert list(contractions(f"def upgrade():\n    {call}\n"))


@pytest.mark.parametrize(
    "call",
    [
        "op.add_column('jobs', sa.Column('label', sa.Text(), nullable=True))",
        "op.add_column('jobs', sa.Column('label', sa.Text(), server_default='', nullable=False))",
        "op.alter_column('jobs', 'label', nullable=True)",
        "op.drop_constraint('status', 'jobs', type_='check')",
        "op.create_check_constraint('status', 'jobs', 'true', postgresql_not_valid=True)",
        "op.create_index('ix_jobs_label', 'jobs', ['label'], if_not_exists=True)",
    ],
)
def test_what_expands_passes(call: str) -> None:
    """As docs/operations.md tells to do it."""
    assert list(contractions(f"def upgrade():\n    {call}\n")) == []


def test_a_migration_does_not_wait_for_long_behind_others(migrated: None) -> None:
    """It fails and changes nothing, whichever way it goes."""
    engine = create_engine(settings().database_url, poolclass=NullPool)
    try:
        with engine.begin() as reader:
            reader.execute(text("SELECT 1 FROM jobs LIMIT 1"))
            with pytest.raises(OperationalError, match="lock timeout"):
                command.downgrade(config(), "base")
            assert reader.scalar(text("SELECT count(*) FROM jobs")) is not None
    finally:
        command.upgrade(config(), "head")
    command.check(config())
