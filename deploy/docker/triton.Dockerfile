# syntax=docker/dockerfile:1.7
# NVIDIA's Triton with what the python-backend models of all targets import.
#   docker build --file deploy/docker/triton.Dockerfile --tag diptych/triton:0.1.0 .
# 26.08 is Triton 2.72 with onnxruntime 1.28 and TensorRT 11. Plans of the target `tensorrt` load only in
# the TensorRT that built them: change the tag here and there together.
ARG TRITON_IMAGE=nvcr.io/nvidia/tritonserver:26.08-py3

FROM ${TRITON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
COPY deploy/docker/triton-packages.txt ./
RUN python3 -m venv --without-pip /opt/diptych && \
    python3 -m pip --python /opt/diptych/bin/python install --no-deps --requirement triton-packages.txt

FROM ${TRITON_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Diptych Triton" \
      org.opencontainers.image.description="Triton with the packages that Diptych's models import" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/diptych /opt/diptych
# The stub's interpreter finds its packages by the first python3 on PATH, and ignores PYTHONPATH.
ENV PATH=/opt/diptych/bin:${PATH} PYTHONDONTWRITEBYTECODE=1
# triton-server
USER 1000:1000
WORKDIR /tmp
EXPOSE 8000 8001 8002
HEALTHCHECK --interval=10s --timeout=5s --start-period=180s --retries=3 \
    CMD ["python3", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/v2/health/ready', timeout=4)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["tritonserver"]
# What lies in the repository is loaded, once. The API that loads and unloads models is closed, as
# loading a model is running code; the gateway needs the index and the configurations.
CMD ["--model-repository=/models", "--model-control-mode=none", "--disable-auto-complete-config", \
     "--exit-on-error=true", "--exit-timeout-secs=30", "--log-format=ISO8601"]
