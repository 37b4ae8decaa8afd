"""Alembic, configured from the package itself: there is no ini file to find."""

from pathlib import Path

from alembic import command
from alembic.config import Config


def config() -> Config:
    """Alembic's configuration; the database is that of the settings."""
    alembic = Config()
    alembic.set_main_option("script_location", str(Path(__file__).parent))
    return alembic


def upgrade() -> None:
    """Bring the database to the newest schema; nothing happens when it is there."""
    command.upgrade(config(), "head")
