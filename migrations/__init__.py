"""The database schema's history (Alembic); `python -m migrations` brings a database to its head."""
