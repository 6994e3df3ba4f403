"""Tallies of arms, ramps and their decisions, leases."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0004"
down_revision: Final = "0003"
branch_labels: Final = None
depends_on: Final = None


def upgrade() -> None:
    """Makes the tables."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "arm_tallies",
        sa.Column("process", sa.String(32), primary_key=True),
        sa.Column("experiment", sa.String(63), primary_key=True),
        sa.Column("revision", sa.String(8), primary_key=True),
        sa.Column("arm", sa.String(63), primary_key=True),
        sa.Column("share", sa.Float, nullable=False),
        sa.Column("units", sa.BigInteger, nullable=False),
        sa.Column("failed_units", sa.BigInteger, nullable=False),
        sa.Column("answers", sa.BigInteger, nullable=False),
        sa.Column("failures", sa.BigInteger, nullable=False),
        sa.Column("shed", sa.BigInteger, nullable=False),
        sa.Column("latency", sa.JSON, nullable=False),
        sa.Column("updated_at", moment, nullable=False),
    )
    op.create_index("ix_arm_tallies_experiment", "arm_tallies", ["experiment"])
    leases = op.create_table(
        "leases",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("holder", sa.String(32)),
        sa.Column("token", sa.BigInteger, nullable=False),
        sa.Column("beat", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(leases, [{"name": "ramps", "holder": None, "token": 0, "beat": 0}])
    op.create_table(
        "ramps",
        sa.Column("experiment", sa.String(63), primary_key=True),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("policy", sa.JSON, nullable=False),
        sa.Column("state", sa.JSON, nullable=False),
        sa.Column("look", sa.JSON, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("started_at", moment, nullable=False),
        sa.Column("looked_at", moment, nullable=False),
    )
    op.create_table(
        "ramp_decisions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", moment, nullable=False),
        sa.Column("experiment", sa.String(63), nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("share", sa.Float, nullable=False),
        sa.Column("reasons", sa.JSON, nullable=False),
        sa.Column("figures", sa.JSON, nullable=False),
        sa.Column("actor", sa.String(128), nullable=False),
        sa.Column("token", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_ramp_decisions_experiment", "ramp_decisions", ["experiment"])


def downgrade() -> None:
    """Drops the tables."""
    for table in ("ramp_decisions", "ramps", "leases", "arm_tallies"):
        op.drop_table(table)
