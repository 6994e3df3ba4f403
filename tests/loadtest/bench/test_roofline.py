"""The work without a server, in real worker processes, with graphs of a few nodes."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import psutil
import pytest

from loadtest.bench.corpus import Example, make_corpus
from loadtest.bench.errors import WorkerDiedError
from loadtest.bench.inference import InProcessVariant
from loadtest.bench.roofline import Layout, Roofline, layouts
from loadtest.bench.variant import ServedVariant, read_variant
from loadtest.bench.worker import Label, Worker
from tests.loadtest.bench import tiny_variant

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def variant(tmp_path_factory: pytest.TempPathFactory) -> ServedVariant:
    repository: Path = tmp_path_factory.mktemp("repository")
    tiny_variant.publish(repository)
    return read_variant(repository, "tiny")


@pytest.fixture(scope="module")
def corpus(variant: ServedVariant) -> tuple[Example, ...]:
    return make_corpus(variant.tokeniser.load())


@pytest.fixture(scope="module")
def truth(corpus: tuple[Example, ...]) -> list[str]:
    return ["long" if example.tokens > 20 else "short" for example in corpus]


@pytest.mark.parametrize("group_size", [1, 3, 64])
def test_in_process_variant_groups_give_what_single_requests_give(
    variant: ServedVariant, corpus: tuple[Example, ...], truth: list[str], group_size: int
) -> None:
    model = InProcessVariant(variant, intra_op_threads=1)

    logits = model.fuse(
        model.encode_photos([example.photo for example in corpus], group_size),
        model.encode_sentences([example.sentence for example in corpus], group_size),
    )

    assert logits.shape == (64, 2)
    assert [variant.labels[index] for index in logits.argmax(axis=1)] == truth
    assert model.classify(corpus[5].photo, corpus[5].sentence) == pytest.approx(logits[5])


def worker_processes() -> list[psutil.Process]:
    # Not the resource tracker, which multiprocessing keeps until this process ends.
    children = psutil.Process().children()
    return [child for child in children if "--multiprocessing-fork" in child.cmdline()]


def test_roofline_labels_works_and_leaves_no_process(
    variant: ServedVariant, corpus: tuple[Example, ...], truth: list[str]
) -> None:
    with Roofline(variant, corpus, processes=2, threads=1) as roofline:
        workers = worker_processes()
        rates = [roofline.throughput_rps(Layout(2, 1, *groups), 0.1) for groups in ((1, 1), (1, 4))]
        branches = roofline.branches(0.1)
        labels = roofline.labels()

    assert labels == truth
    assert min(rates) > 0
    assert branches.image_ms > branches.text_ms > 0  # a JPEG is decoded, two words are counted
    assert branches.longer_ms == branches.image_ms
    assert len(workers) == 2
    assert worker_processes() == []


def test_layouts_on_one_core_are_tried_once() -> None:
    assert len(layouts(1)) == len(set(layouts(1))) == 3
    assert len(layouts(2)) == len(set(layouts(2))) == 6


def test_worker_does_not_see_ctrl_c_and_its_death_is_told(
    variant: ServedVariant, corpus: tuple[Example, ...], truth: list[str]
) -> None:
    with Worker(variant, corpus, intra_op_threads=1) as worker:
        assert worker.do(Label()) == truth
        os.kill(worker.pid, signal.SIGINT)
        assert worker.do(Label()) == truth

        os.kill(worker.pid, signal.SIGKILL)
        with pytest.raises(WorkerDiedError, match=str(worker.pid)):
            worker.do(Label())
