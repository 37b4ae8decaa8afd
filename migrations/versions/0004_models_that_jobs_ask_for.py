"""Models that jobs ask for instead of the profile's, and which ones workers lend."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    json = postgresql.JSONB(none_as_null=True, astext_type=sa.Text())
    op.add_column("jobs", sa.Column("models", json, nullable=True))
    op.add_column("loaded_profiles", sa.Column("lent", json, server_default=sa.text("'{}'"), nullable=False))


def downgrade() -> None:
    op.drop_column("loaded_profiles", "lent")
    op.drop_column("jobs", "models")
