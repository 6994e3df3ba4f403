"""Feedback and its history."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0003"
down_revision: Final = "0002"
branch_labels: Final = None
depends_on: Final = None


def upgrade() -> None:
    """Makes the tables."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "feedback",
        sa.Column("prediction_key", sa.String(32), primary_key=True),
        sa.Column("task", sa.String(63), primary_key=True),
        sa.Column("variant", sa.String(63), nullable=False),
        sa.Column("digest", sa.String(16), nullable=False),
        sa.Column("modalities", sa.String(8), nullable=False),
        sa.Column("reason", sa.String(16), nullable=False),
        sa.Column("experiment", sa.String(63)),
        sa.Column("revision", sa.String(8)),
        sa.Column("layer", sa.String(63)),
        sa.Column("arm", sa.String(63)),
        sa.Column("propensity", sa.Float),
        sa.Column("unit", sa.String(16)),
        sa.Column("predicted_at", moment, nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("predicted", sa.Text, nullable=False),
        sa.Column("confidence", sa.Float),
        sa.Column("confidence_bin", sa.Integer),
        sa.Column("label", sa.Text),
        sa.Column("is_correct", sa.Boolean),
        sa.Column("weight", sa.Float, nullable=False),
        sa.Column("labelled_at", moment, nullable=False),
        sa.Column("recorded_at", moment, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("actor", sa.String(128), nullable=False),
    )
    for columns in (["variant", "predicted_at"], ["experiment", "predicted_at"], ["predicted_at"]):
        op.create_index(f"ix_feedback_{'_'.join(columns)}", "feedback", columns)
    op.create_index("ix_feedback_unit", "feedback", ["unit"])
    op.create_table(
        "feedback_history",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("prediction_key", sa.String(32), nullable=False),
        sa.Column("task", sa.String(63), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("unit", sa.String(16)),
        sa.Column("label", sa.Text),
        sa.Column("weight", sa.Float, nullable=False),
        sa.Column("labelled_at", moment, nullable=False),
        sa.Column("recorded_at", moment, nullable=False),
        sa.Column("replaced_at", moment, nullable=False),
        sa.Column("actor", sa.String(128), nullable=False),
    )
    op.create_index("ix_feedback_history_prediction_key", "feedback_history", ["prediction_key"])
    op.create_index("ix_feedback_history_unit", "feedback_history", ["unit"])


def downgrade() -> None:
    """Drops the tables."""
    for table in ("feedback_history", "feedback"):
        op.drop_table(table)
