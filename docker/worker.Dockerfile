# syntax=docker/dockerfile:1.12.1

# The workers, with the models' libraries. Two targets:
#   docker build --file docker/worker.Dockerfile --target cuda --tag mainmask-worker:0.1.0-cuda .
#   docker build --file docker/worker.Dockerfile --target cpu --tag mainmask-worker:0.1.0 .
# `cuda` takes PyTorch from the usual index, whose wheels bring CUDA's libraries: the host needs a driver and the NVIDIA
# container toolkit, nothing else. `cpu` takes it from TORCH_INDEX, the index of CPU builds that pytorch.org's install
# page names; without it that image works as well, but carries several GB of CUDA for nothing.
# Neither has a C compiler, which MAINMASK_COMPILE_ENCODERS needs: where that is wanted, add gcc and libc6-dev.
# The bundled models need no volume. Larger ones are read from /models.
# How to give the base by its digest: see api.Dockerfile.
ARG PYTHON_IMAGE=python:3.13.15-slim-trixie

FROM ${PYTHON_IMAGE} AS build
RUN python -m venv /opt/mainmask
ENV PATH=/opt/mainmask/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./

FROM build AS build-cuda
ARG EXTRAS=worker,otel
RUN --mount=type=cache,target=/root/.cache/pip pip install --constraint constraints.txt ".[${EXTRAS}]"
COPY api api
COPY db db
COPY mainmask mainmask
COPY migrations migrations
COPY worker worker
RUN --mount=type=cache,target=/root/.cache/pip pip install --no-deps .

FROM build AS build-cpu
ARG EXTRAS=worker,otel
ARG TORCH_INDEX=
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install ${TORCH_INDEX:+--index-url "${TORCH_INDEX}"} --constraint constraints.txt torch torchvision && \
    pip install --constraint constraints.txt ".[${EXTRAS}]"
COPY api api
COPY db db
COPY mainmask mainmask
COPY migrations migrations
COPY worker worker
RUN --mount=type=cache,target=/root/.cache/pip pip install --no-deps .

FROM ${PYTHON_IMAGE} AS runtime
LABEL org.opencontainers.image.title="mainmask-worker" \
      org.opencontainers.image.description="mainmask's workers: CLIP, GroundingDINO and SAM" \
      org.opencontainers.image.licenses="Apache-2.0"
# Named, because PyTorch asks who it runs as; by number below, so that Kubernetes can see that it isn't root.
# /models is its own, and a new volume that is mounted there takes that over.
RUN useradd --system --uid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin mainmask && \
    install --directory --owner=10001 /models
ENV PATH=/opt/mainmask/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HF_HUB_OFFLINE=1 \
    MAINMASK_MODELS_DIR=/models MAINMASK_WORKER_READY_FILE=/tmp/mainmask-worker.ready
WORKDIR /opt/mainmask
USER 10001
# It is there once the models are loaded. A model call that hangs is found by the worker itself, which then ends.
HEALTHCHECK --interval=10s --timeout=5s --start-period=300s CMD ["test", "-e", "/tmp/mainmask-worker.ready"]
CMD ["celery", "--quiet", "--app=worker.app", "worker", "--loglevel=INFO", "--pool=threads", "--concurrency=4", "--queues=segment,detect,classify", "--events"]

FROM runtime AS cuda
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY --from=build-cuda /opt/mainmask /opt/mainmask

# The last one is what is built without --target.
FROM runtime AS cpu
COPY --from=build-cpu /opt/mainmask /opt/mainmask
