# The Python that requirements.lock was made with.
FROM python:3.11-slim AS build

WORKDIR /build
RUN python -m venv /venv
COPY requirements.lock pyproject.toml ./
RUN /venv/bin/pip install --no-cache-dir --require-hashes --requirement requirements.lock
COPY ingress ingress
COPY inturn inturn
COPY shared shared
COPY workers workers
RUN /venv/bin/pip install --no-cache-dir --no-build-isolation --no-deps . \
    && /venv/bin/pip uninstall --yes \
        editables hatchling packaging pathspec pip pluggy setuptools trove-classifiers


FROM python:3.11-slim

# A user of the container alone. Agents are found where it runs: mount yours at /app.
RUN groupadd --system --gid 10001 inturn \
    && useradd --system --uid 10001 --gid inturn --home-dir /app --no-create-home inturn \
    && install --directory --owner=inturn --group=inturn /app /data
COPY --from=build /venv /venv

ENV PATH="/venv/bin:$PATH" \
    PYTHONUNBUFFERED="1" \
    INTURN_HOST="0.0.0.0" \
    INTURN_DATA_DIR="/data"
WORKDIR /app
EXPOSE 8000
USER 10001:10001

HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["inturn", "healthy"]
ENTRYPOINT ["inturn"]
# By itself it is everything in one process, on SQLite in /data.
CMD ["serve"]
