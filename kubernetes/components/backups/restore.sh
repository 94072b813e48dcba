#!/bin/sh
# Restores a dump of backup.sh into a new database beside that of DATABASE_URL, and compares every table with what it held when
# it was dumped. RESTORE=verify then drops the new database. RESTORE=replace puts it in the place of the old one, which stays
# under another name; nobody may be connected. DUMP names a file; without it, the newest one of BACKUP_DIR is taken.
set -eu
umask 077
here=$(dirname "$0")

case ${RESTORE:-} in
    verify | replace) ;;
    *)
        echo "RESTORE is 'verify' or 'replace', not '${RESTORE:-}'." >&2
        exit 64 ;;
esac
if [ -z "${DUMP:-}" ]; then
    for DUMP in "$BACKUP_DIR"/codellama-*.dump; do :; done
fi
expected=${DUMP%.dump}.contents
for file in "$DUMP" "$expected"; do
    if ! [ -f "$file" ]; then
        echo "There is no $file." >&2
        exit 66
    fi
done

without_query=${DATABASE_URL%%\?*}
address_of() { printf '%s' "${without_query%/*}/$1${DATABASE_URL#"$without_query"}"; }
ask() { psql -X -q -A -t -v ON_ERROR_STOP=1 -d "$@"; }

database=$(ask "$DATABASE_URL" -c 'SELECT current_database()')
if [ "$RESTORE" = replace ]; then
    others=$(ask "$DATABASE_URL" -c "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
        AND backend_type = 'client backend' AND pid <> pg_backend_pid()")
    if [ "$others" -gt 0 ]; then
        echo "$database is in use by $others connection(s). Stop the backend first, and wait for its pods to end." >&2
        exit 75
    fi
fi
restored=${database}_restored
found=$(mktemp)
drop() { PGOPTIONS='-c client_min_messages=warning' dropdb --if-exists --force --maintenance-db="$DATABASE_URL" "$restored"; }
trap 'rm -f "$found"; drop' EXIT

echo "restoring $(basename "$DUMP") into $restored"
drop
createdb --maintenance-db="$DATABASE_URL" --template=template0 "$restored"
pg_restore --exit-on-error --no-owner --dbname="$(address_of "$restored")" "$DUMP"
ask "$(address_of "$restored")" -f "$here/contents.sql" > "$found"
if ! diff "$expected" "$found"; then
    echo "The restored tables (>) differ from those that were dumped (<): name, rows, sum of hashes." >&2
    exit 65
fi
cut -d '|' -f 1,2 "$found"
echo "every table holds what was dumped"

if [ "$RESTORE" = replace ]; then
    before=${database}_before_$(date -u +%Y%m%dt%H%M%S)
    ask "$(address_of postgres)" --single-transaction -c "ALTER DATABASE \"$database\" RENAME TO \"$before\"" \
        -c "ALTER DATABASE \"$restored\" RENAME TO \"$database\""
    echo "$database is the dump now; what it held before is in $before"
fi
