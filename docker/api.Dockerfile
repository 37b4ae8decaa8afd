# syntax=docker/dockerfile:1.12.1

# Everything that needs no models: the API with its page, migrations, maintenance, beat, webhooks and Flower.
#   docker build --file docker/api.Dockerfile --tag mainmask-api:0.1.0 .
# For the same bytes each time, give the base by its digest, which `docker buildx imagetools inspect IMAGE` prints:
#   --build-arg PYTHON_IMAGE=python:3.13.15-slim-trixie@sha256:…
# `docker buildx build --sbom=true --provenance=true` lists what is inside: all of it has Python or Debian metadata.
ARG PYTHON_IMAGE=python:3.13.15-slim-trixie

FROM ${PYTHON_IMAGE} AS build
# To add pictures as phones take them: EXTRAS=api,control,otel,heic
ARG EXTRAS=api,control,otel
RUN python -m venv /opt/mainmask
ENV PATH=/opt/mainmask/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
# The dependencies are a layer of their own, installed for a project that is still empty: new code doesn't fetch them again.
COPY pyproject.toml constraints.txt README.md LICENSE ./
RUN --mount=type=cache,target=/root/.cache/pip pip install --constraint constraints.txt ".[${EXTRAS}]"
COPY api api
COPY db db
COPY mainmask mainmask
COPY migrations migrations
COPY worker worker
RUN --mount=type=cache,target=/root/.cache/pip pip install --no-deps .

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="mainmask-api" \
      org.opencontainers.image.description="mainmask without its models: API, migrations, maintenance, beat, webhooks, Flower" \
      org.opencontainers.image.licenses="Apache-2.0"
# Named, because libraries ask who they run as; by number below, so that Kubernetes can see that it isn't root.
# Flower's folder is its own, and a new volume that is mounted there takes that over.
RUN useradd --system --uid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin mainmask && \
    install --directory --owner=10001 /var/lib/flower
ENV PATH=/opt/mainmask/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
COPY --from=build /opt/mainmask /opt/mainmask
WORKDIR /opt/mainmask
USER 10001
EXPOSE 8000
# Alive, not ready: an outage of Postgres is no reason to restart the API. By its own client, as urllib would ask a proxy.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "from http.client import HTTPConnection as C; c = C('127.0.0.1', 8000, timeout=4); c.request('GET', '/healthz'); exit(c.getresponse().status != 200)"]
CMD ["uvicorn", "api.app:create_app", "--factory", "--host=0.0.0.0", "--port=8000", "--timeout-graceful-shutdown=20"]
