# Stands in for postgres:18-bookworm: Debian's PostgreSQL of the same version, with the official image's user, folders and
# first start as far as ours uses them.
FROM localhost/debian:forky
RUN groupadd --system --gid 999 postgres \
 && useradd --system --uid 999 --gid 999 --home-dir /var/lib/postgresql postgres \
 && apt-get update \
 && apt-get install -y --no-install-recommends postgresql-18 \
 && rm -rf /var/lib/apt/lists/* /var/lib/postgresql/18 \
 && install -d -o postgres -g postgres -m 1777 /var/lib/postgresql /var/run/postgresql
COPY --chmod=755 postgres-entrypoint.sh /docker-entrypoint.sh
ENV PATH=/usr/lib/postgresql/18/bin:$PATH \
    PGDATA=/var/lib/postgresql/18/docker
VOLUME /var/lib/postgresql
STOPSIGNAL SIGINT
EXPOSE 5432
ENTRYPOINT ["/docker-entrypoint.sh"]
CMD ["postgres"]
