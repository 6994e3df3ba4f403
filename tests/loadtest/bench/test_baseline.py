"""The baseline as a process, under the bench's own client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadtest.bench.corpus import make_corpus
from loadtest.bench.load_client import ask_in_turn
from loadtest.bench.peers import BaselineSettings, baseline_candidates
from loadtest.bench.subject import Subject
from loadtest.bench.variant import read_variant
from tests.loadtest.bench import tiny_variant

if TYPE_CHECKING:
    from pathlib import Path


def test_baseline_answers_as_the_graphs_do_and_stops(tmp_path: Path) -> None:
    tiny_variant.publish(tmp_path / "models")
    variant = read_variant(tmp_path / "models", "tiny")
    corpus = make_corpus(variant.tokeniser.load())
    subject = Subject(tmp_path / "models", variant, corpus, tmp_path / "logs")

    with subject.baseline(BaselineSettings(intra_op_threads=1, pool_threads=2)) as baseline:
        load = ask_in_turn(subject.server(baseline.address), 20)

    assert not load.failures
    assert load.labels == ["long" if each.tokens > 20 else "short" for each in corpus[:20]]
    assert baseline.exit_code() is not None


def test_baseline_candidates_hold_both_ways_to_use_the_cores() -> None:
    candidates = baseline_candidates(4)

    assert BaselineSettings(intra_op_threads=4, pool_threads=1) in candidates
    assert BaselineSettings(intra_op_threads=1, pool_threads=4) in candidates
