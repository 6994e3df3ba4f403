# syntax=docker/dockerfile:1.7
# The exporters: train, export, prove on a real Triton, publish. A job, not a service.
#   docker build --file deploy/docker/exporters.Dockerfile --tag diptych/exporters:0.1.0 .
# torch of the default index brings CUDA; PIP_EXTRA_INDEX_URL may name an index with a CPU build.
ARG PYTHON_IMAGE=python:3.11.14-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ARG PIP_EXTRA_INDEX_URL=""
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
RUN python -m venv /opt/diptych
COPY deploy/docker/exporters-packages.txt exporters/recipes/demo-requirements.txt ./
# With dependencies: which CUDA libraries there are depends on the build of torch.
RUN /opt/diptych/bin/pip install --requirement exporters-packages.txt && \
    /opt/diptych/bin/pip install --no-deps --requirement demo-requirements.txt
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY gateway gateway
COPY exporters exporters
COPY deploy deploy
RUN /opt/diptych/bin/pip install --no-deps .

FROM ${PYTHON_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Diptych exporters" \
      org.opencontainers.image.description="Trains, exports, proves and publishes image+text classifiers for Triton" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/diptych /opt/diptych
# Two volumes of a run, owned by who runs it.
RUN install --directory --owner=10001 --group=10001 /srv/diptych /srv/diptych/.diptych /srv/diptych/model_repository
# Caches of matplotlib and the like go where a read-only root allows them.
ENV PATH=/opt/diptych/bin:${PATH} PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    HOME=/tmp MPLCONFIGDIR=/tmp/matplotlib XDG_CACHE_HOME=/tmp/cache
USER 10001:10001
WORKDIR /srv/diptych
HEALTHCHECK NONE
STOPSIGNAL SIGINT
ENTRYPOINT ["python", "-m", "exporters"]
CMD ["--help"]
