"""trivy and checkov over the rendered chart, and what of their findings is accepted."""

from __future__ import annotations

import json
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from deploy.helm.finding import Finding
from deploy.tools import program

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ACCEPTED: Final = Path(__file__).with_name("accepted.toml")
_TIMEOUT_S: Final = 240.0
_SCANNED: Final = "rendered chart"


class ScanError(Exception):
    """A scanner did not run to its end.

    Attributes:
        scanner: its name.
        reason: its last words.
    """

    def __init__(self, scanner: str, reason: str) -> None:
        super().__init__(f"{scanner} did not run to its end: {reason}")
        self.scanner = scanner
        self.reason = reason


@dataclass(frozen=True)
class Acceptance:
    """A finding that is meant to be so.

    Attributes:
        ids: of the scanners' checks.
        why: the reason.
        objects: kinds that it holds for; none: all.
    """

    ids: tuple[str, ...]
    why: str
    objects: tuple[str, ...] = ()

    def covers(self, finding: Finding) -> bool:
        """Whether a finding is meant."""
        kind = finding.subject.partition(" ")[0]
        return finding.check in self.ids and (not self.objects or kind in self.objects)


def read_accepted(path: Path = ACCEPTED) -> list[Acceptance]:
    """Reads the file of accepted findings.

    Raises:
        ValueError: an entry has no reason.
    """
    entries = tomllib.loads(path.read_text(encoding="utf-8"))["accepted"]
    accepted = [
        Acceptance(tuple(each["ids"]), each.get("why", ""), tuple(each.get("objects", ())))
        for each in entries
    ]
    for each in accepted:
        if not each.why.strip():
            raise ValueError(f"{path.name}: {', '.join(each.ids)} is accepted without a reason")
    return accepted


def judge_scans(found: Sequence[Finding], accepted: Sequence[Acceptance]) -> Iterator[Finding]:
    """Yields findings that nobody accepted, and acceptances that nothing needs any more."""
    for finding in found:
        if not any(each.covers(finding) for each in accepted):
            yield finding
    for each in accepted:
        for name in each.ids:
            if not any(finding.check == name and each.covers(finding) for finding in found):
                yield Finding(name, ACCEPTED.name, "it is accepted and found nowhere")


def scan(folder: Path) -> list[Finding]:
    """Runs both scanners over a folder of rendered YAML.

    Raises:
        ScanError: one did not run to its end, or looked at nothing.
    """
    return sorted({*_trivy(folder), *_checkov(folder)})


def _trivy(folder: Path) -> Iterator[Finding]:
    offline = ("--skip-check-update", "--skip-version-check", "--quiet")
    report = _run("trivy", "config", *offline, "--format=json", str(folder))
    results = report.get("Results") or ()
    if not results:
        raise ScanError("trivy", "it looked at nothing")
    for result in results:
        for fault in result.get("Misconfigurations", ()):
            # The message alone names the object: "Container 'x' of Deployment 'y' should ...".
            words = fault["Message"].replace("'", "").replace('"', "").split()
            kinds = ("Deployment", "CronJob", "Job", "Pod", "ConfigMap")
            kind = next((kind for kind in kinds if kind in words), _SCANNED)
            yield Finding(fault["ID"], kind, f"{fault['Title']}: {fault['Message'].rstrip('.')}")


def _checkov(folder: Path) -> Iterator[Finding]:
    options = ("--framework=kubernetes", "--skip-download", "--quiet", "--compact", "--output=json")
    reports = _run("checkov", *options, "--soft-fail", f"--directory={folder}")
    for report in reports if isinstance(reports, list) else [reports]:
        if "results" not in report:
            raise ScanError("checkov", "it looked at nothing")
        for fault in report["results"]["failed_checks"]:
            kind, _, rest = fault["resource"].partition(".")
            subject = f"{kind} {rest.rpartition('.')[2]}"
            yield Finding(fault["check_id"], subject, fault["check_name"].rstrip("."))


def _run(scanner: str, *arguments: str) -> Any:  # noqa: ANN401  # JSON
    try:
        result = subprocess.run(
            [str(program(scanner)), *arguments],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
        return json.loads(result.stdout)
    except subprocess.TimeoutExpired as error:
        raise ScanError(scanner, f"not done after {_TIMEOUT_S:.0f} s") from error
    except ValueError as error:
        raise ScanError(scanner, result.stderr.strip()[-300:] or "no report") from error
