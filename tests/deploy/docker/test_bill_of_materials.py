from __future__ import annotations

import json
from pathlib import Path

from packaging.utils import canonicalize_name

from deploy.docker.bill_of_materials import write_bill

LISTS = Path(__file__).parents[3] / "deploy" / "docker"


def test_bill_names_every_package_of_the_image_with_its_version(tmp_path: Path) -> None:
    lines = (LISTS / "gateway-packages.txt").read_text(encoding="utf-8").splitlines()
    pins = [line.split("==") for line in lines if "==" in line]
    listed = {(canonicalize_name(name), version) for name, version in pins}

    cyclonedx, spdx = write_bill("gateway", LISTS, tmp_path / "sbom")

    components = json.loads(cyclonedx.read_text(encoding="utf-8"))["components"]
    named = [(each["name"], each["version"]) for each in components if "purl" in each]
    assert {(canonicalize_name(name), version) for name, version in named} == listed
    packages = json.loads(spdx.read_text(encoding="utf-8"))["packages"]
    named = [(each["name"], each.get("versionInfo", "")) for each in packages]
    assert listed <= {(canonicalize_name(name), version) for name, version in named}
