# Stands in for node:24-bookworm-slim: Debian's Node of the same version.
FROM localhost/debian:forky
RUN apt-get update \
 && apt-get install -y --no-install-recommends nodejs npm \
 && rm -rf /var/lib/apt/lists/*
CMD ["node"]
