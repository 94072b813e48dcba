#!/bin/sh
# The part of the official image's entrypoint that ours uses: a cluster with the user and the database of the environment at
# the first start, then the server for every address, as an ordinary user.
set -eu
if [ "$(id -u)" = 0 ]; then
    install -d -o postgres -g postgres -m 700 "$(dirname "$PGDATA")" "$PGDATA"
    exec setpriv --reuid postgres --regid postgres --init-groups "$0" "$@"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    passwords=$(mktemp)
    printf '%s\n' "$POSTGRES_PASSWORD" > "$passwords"
    initdb --pgdata "$PGDATA" --username "$POSTGRES_USER" --pwfile "$passwords" --auth-host scram-sha-256 --encoding UTF8
    rm "$passwords"
    echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
    pg_ctl --wait --silent --options "-c listen_addresses=''" start
    createdb --username "$POSTGRES_USER" "${POSTGRES_DB:-$POSTGRES_USER}"
    pg_ctl --wait --silent --mode fast stop
fi
exec "$@" -c listen_addresses='*'
