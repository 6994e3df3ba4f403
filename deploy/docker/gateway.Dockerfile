# syntax=docker/dockerfile:1.7
# The gateway: REST and gRPC in front of Triton. No torch, no model code, no compiler.
#   docker build --file deploy/docker/gateway.Dockerfile --tag diptych/gateway:0.1.0 .
ARG PYTHON_IMAGE=python:3.11.14-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
RUN python -m venv /opt/diptych
COPY deploy/docker/gateway-packages.txt ./
RUN /opt/diptych/bin/pip install --no-deps --requirement gateway-packages.txt && /opt/diptych/bin/pip check
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY gateway gateway
RUN /opt/diptych/bin/pip install --no-deps .

FROM ${PYTHON_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Diptych gateway" \
      org.opencontainers.image.description="REST and gRPC in front of Triton for image+text classification" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/diptych /opt/diptych
# Bound to all addresses, so it asks for a keys file before it starts.
ENV PATH=/opt/diptych/bin:${PATH} PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    DIPTYCH_GATEWAY_HTTP_HOST=0.0.0.0 DIPTYCH_GATEWAY_GRPC_HOST=0.0.0.0
# A number, so that Kubernetes can see that it is not root.
USER 10001:10001
WORKDIR /tmp
EXPOSE 8080 8081
# Alive, not ready: without a Triton it is to be kept, and to say 503.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ.get('DIPTYCH_GATEWAY_HTTP_PORT', '8080') + '/livez', timeout=2)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "-m", "gateway"]
