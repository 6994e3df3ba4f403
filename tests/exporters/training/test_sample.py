"""The samples that exporters leave, and the gateway's gallery that reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporters.data import Example
from exporters.training.sample import save_sample
from gateway.api.pages.gallery import read_gallery

if TYPE_CHECKING:
    from pathlib import Path


def example(folder: Path, name: str, label: str | None, text: str = "") -> Example:
    image = folder / name
    image.parent.mkdir(parents=True, exist_ok=True)
    image.write_bytes(str(image).encode())
    return Example(image, "digest", text or name, ((label,) if label else None,))


def test_saved_samples_are_the_gallery_of_the_gateway(tmp_path: Path) -> None:
    first = example(tmp_path / "a", "1.png", "animal", "a cat")
    others = [
        example(tmp_path / "a", "2.png", "animal"),
        example(tmp_path / "a", "3.png", "animal"),  # its label is there already
        example(tmp_path / "b", "1.png", "food"),  # its file name is taken
        example(tmp_path / "a", "4.png", None),  # nobody labelled it
        example(tmp_path / "a", "5.png", "food"),
    ]

    save_sample(first, tmp_path / "samples" / "demo", ["animal", "food"], further=others)

    found = read_gallery(tmp_path / "samples")
    assert [(each.text, each.label) for each in found] == [
        ("a cat", "animal"),
        ("2.png", "animal"),
        ("5.png", "food"),
    ]
    assert {each.labels for each in found} == {("animal", "food")}
    assert [each.image.read_bytes() for each in found] == [
        str(each.image).encode() for each in (first, others[0], others[4])
    ]


def test_saved_samples_are_no_more_than_a_person_looks_through(tmp_path: Path) -> None:
    examples = [example(tmp_path / "a", f"{n}.png", f"label {n}") for n in range(30)]

    save_sample(examples[0], tmp_path / "samples" / "demo", further=examples)

    assert len(read_gallery(tmp_path / "samples")) == 10
