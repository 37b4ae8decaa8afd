"""The migrations and the models say the same."""

from alembic import command

from migrations.schema import config


def test_the_migrations_make_exactly_the_models_tables(migrated: None) -> None:
    """Autogeneration finds nothing to add: whoever changes a model must write its migration."""
    command.check(config())


def test_every_migration_can_be_undone(migrated: None) -> None:
    """Down to nothing and up again: each downgrade undoes its upgrade."""
    command.downgrade(config(), "base")
    command.upgrade(config(), "head")
