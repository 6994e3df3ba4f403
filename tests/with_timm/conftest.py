"""Tests that import timm; where it is missing, `tests/exporters/encoders` runs them with it."""

from __future__ import annotations

import importlib.util

collect_ignore_glob = [] if importlib.util.find_spec("timm") else ["test_*.py"]
