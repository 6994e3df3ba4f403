"""Where a run keeps what it computes: one folder, made by the first command that needs it.

    <root>/
    ├── datasets/<source>-<digest>/      what a data source built: a table and its images
    ├── checks/<table>-<digest>.csv      the broken rows of a table, with reasons
    ├── features/<kind>-<digest>.safetensors
    ├── features/<kind>-sequences-<digest>.npy  tokens or cells, for heads that read them
    ├── runs/<recipe>-<digest>/          head, training record, reports and pictures
    ├── finetuning/<recipe>-<digest>/   checkpoint of a fine-tuning that was stopped
    ├── fold-fits/<digest>.safetensors  what a head said in one fold of a comparison
    ├── comparisons/<recipe>-<digest>/  table, figures and plot of a comparison
    ├── compressed-encoders/<kind>-<digest>/  an encoder's graph and features after some steps
    ├── compressions/<variant>-<digest>/  graphs and reports of a compressed variant
    ├── publications/<recipe>.json       what was exported last, and from what
    ├── retraining/<recipe>.lock         held while the recipe is retrained
    ├── samples/<variant>/               one held-out example, for trying the served model
    ├── timings/<library>.cache          kernels that TensorRT timed, for the next build
    └── targets/<target>/                model repositories that were exported and not proved

Everything in it can be deleted: the next run makes it again.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

DEFAULT_WORKSPACE: Final = Path(".diptych")

_DIGEST_CHARS: Final = 12  # 48 bits: names stay short, and two runs of one recipe never meet


@dataclass(frozen=True)
class Workspace:
    """The folder of all that is computed; nothing is written until something is asked for."""

    root: Path = DEFAULT_WORKSPACE

    def dataset_folder(self, source: str, digest: str) -> Path:
        """Where the data source `source`, of this digest of its options, keeps its table."""
        return self.root / "datasets" / f"{source}-{digest[:_DIGEST_CHARS]}"

    def broken_rows_file(self, table: str, digest: str) -> Path:
        """Where the broken rows of a table of this content are listed."""
        return self.root / "checks" / f"{table}-{digest[:_DIGEST_CHARS]}.csv"

    def features_file(self, kind: str, digest: str) -> Path:
        """Where features of one `kind` (`text` or `image`) are cached."""
        return self.root / "features" / f"{kind}-{digest[:_DIGEST_CHARS]}.safetensors"

    def sequences_file(self, kind: str, digest: str) -> Path:
        """Where sequences of one `kind` (`text` or `image`) are cached."""
        return self.root / "features" / f"{kind}-sequences-{digest[:_DIGEST_CHARS]}.npy"

    def run_folder(self, recipe_name: str, digest: str) -> Path:
        """Where the head, the record and the reports of one training run lie."""
        return self.root / "runs" / f"{recipe_name}-{digest[:_DIGEST_CHARS]}"

    def finetuning_folder(self, recipe_name: str, digest: str) -> Path:
        """Where a fine-tuning that was stopped goes on from; gone when it has ended."""
        return self.root / "finetuning" / f"{recipe_name}-{digest[:_DIGEST_CHARS]}"

    def fold_fit_file(self, digest: str) -> Path:
        """Where the answers of one head in one fold of a comparison are kept."""
        return self.root / "fold-fits" / f"{digest[:_DIGEST_CHARS]}.safetensors"

    def comparison_folder(self, recipe_name: str, digest: str) -> Path:
        """Where the table, the figures and the plot of a comparison lie."""
        return self.root / "comparisons" / f"{recipe_name}-{digest[:_DIGEST_CHARS]}"

    def compressed_encoder_folder(self, kind: str, digest: str) -> Path:
        """Where the graph and the features of an encoder after some steps are kept."""
        return self.root / "compressed-encoders" / f"{kind}-{digest[:_DIGEST_CHARS]}"

    def compression_folder(self, variant: str, digest: str) -> Path:
        """Where the graphs, the head and the reports of a compressed variant lie."""
        return self.root / "compressions" / f"{variant}-{digest[:_DIGEST_CHARS]}"

    def publication_file(self, recipe_name: str) -> Path:
        """Where it is recorded what a recipe's last export published, and from what."""
        return self.root / "publications" / f"{recipe_name}.json"

    def retraining_lock_file(self, recipe_name: str) -> Path:
        """What a retraining of a recipe holds a lock on."""
        return self.root / "retraining" / f"{recipe_name}.lock"

    @property
    def targets_folder(self) -> Path:
        """Where variants for targets that cannot be proved here are written."""
        return self.root / "targets"

    def timing_cache_file(self, library: str, device: str) -> Path:
        """Where the kernels are kept that a version of TensorRT timed on one kind of GPU."""
        name = "-".join(f"{library} {device}".split())
        return self.root / "timings" / f"{name}.cache"

    def sample_folder(self, variant: str) -> Path:
        """Where one held-out example of a variant lies, as `sample.json` and an image."""
        return self.root / "samples" / variant
