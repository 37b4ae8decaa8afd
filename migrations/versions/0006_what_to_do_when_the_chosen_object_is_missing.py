"""Jobs say what to do when the chosen candidate isn't found in the picture."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "jobs",
        sa.Column(
            "on_missing",
            sa.Enum("not_found", "next", name="on_missing", native_enum=False, create_constraint=True, length=16),
            server_default="not_found",
            nullable=False,
        ),
    )
    op.alter_column("jobs", "on_missing", server_default=None)


def downgrade() -> None:
    op.drop_column("jobs", "on_missing")
