# One image for every process: code server, daemon, web server, receiver. compose.yaml says which is which.
ARG PYTHON=3.12

FROM python:${PYTHON}-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
RUN python -m venv /opt/refund-pipeline
COPY deploy/requirements.lock ./
RUN /opt/refund-pipeline/bin/pip install --no-deps --require-hashes -r requirements.lock
COPY setup.py pyproject.toml README.md LICENSE ./
COPY refund_pipeline ./refund_pipeline
RUN /opt/refund-pipeline/bin/pip install --no-deps --no-build-isolation .

FROM python:${PYTHON}-slim-bookworm
ENV PATH=/opt/refund-pipeline/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DAGSTER_HOME=/var/lib/refund-pipeline
RUN useradd --system --uid 10001 --home-dir /var/lib/refund-pipeline --create-home refunds
COPY --from=build /opt/refund-pipeline /opt/refund-pipeline
COPY deploy/containers/dagster.yaml deploy/containers/workspace.yaml /var/lib/refund-pipeline/
WORKDIR /var/lib/refund-pipeline
RUN mkdir storage reports && chown -R refunds:refunds .
USER 10001
EXPOSE 4000
# The code server's; compose.yaml gives every other process its own.
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 \
    CMD ["dagster", "api", "grpc-health-check", "-p", "4000"]
CMD ["dagster", "code-server", "start", "-h", "0.0.0.0", "-p", "4000", "-m", "refund_pipeline.definitions"]
