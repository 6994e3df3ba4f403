"""Feedback: the columns of its SQL table, written by the gateway, read by exporters.

One row is what is true of one task of one prediction. `prediction_key` joins it with captured
answers. SQLAlchemy Core alone, without the gateway's own classes: who reads needs no gateway.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import DateTime, Float, String, Text, column, table

ONLY_TASK: Final = ""
"""Name of the task of a variant that has one set of labels alone."""

FEEDBACK: Final = table(
    "feedback",
    column("prediction_key", String),  # 32 hexadecimal digits
    column("task", String),
    column("variant", String),  # that answered
    column("digest", String),  # of it, the first 16 digits
    column("predicted_at", DateTime(timezone=True)),  # UTC; of SQLite without a zone
    column("kind", String),  # `one` or `several` labels
    column("label", Text),  # what is true; NULL: whoever looked was unsure
    column("weight", Float),  # inverse of the probability of having been labelled, 1 or more
)
"""The columns that exporters read; others there may be."""
