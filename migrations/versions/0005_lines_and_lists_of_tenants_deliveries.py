"""Lines and lists of tenants' deliveries."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_deliveries_tenant_id", "deliveries", ["tenant", "id"])
    op.create_index("ix_deliveries_tenant_status_id", "deliveries", ["tenant", "status", "id"])
    op.create_index(
        "ix_deliveries_tenant_line",
        "deliveries",
        ["tenant", "attempts", "due_at"],
        postgresql_where=sa.text("status = 'pending'"),
    )


def downgrade() -> None:
    for name in ("line", "status_id", "id"):
        op.drop_index(f"ix_deliveries_tenant_{name}", table_name="deliveries")
