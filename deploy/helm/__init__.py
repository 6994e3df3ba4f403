"""The Helm chart in `diptych/`, and what keeps it honest.

`python -m deploy.helm document` writes what is made from the chart's values; `check` runs all
static checks (`make deploy-check`). Nothing here needs a cluster.
"""
