# Stands in for python:3.12-slim-bookworm: Debian's own Python, of the same Debian.
FROM localhost/debian:bookworm
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 python3-pip python3-venv python-is-python3 \
 && rm -rf /var/lib/apt/lists/*
CMD ["python3"]
