#!/bin/sh
# Dumps the database of DATABASE_URL into a new file of BACKUP_DIR and keeps the newest BACKUP_KEEP dumps. Beside each dump
# lies what its tables held, counted in the dump's own snapshot; restore.sh compares with it.
set -eu
umask 077
here=$(dirname "$0")

if ! [ "$BACKUP_KEEP" -ge 1 ] 2> /dev/null; then
    echo "BACKUP_KEEP is the number of dumps to keep: 1 or more, not '$BACKUP_KEEP'." >&2
    exit 64
fi
name=codellama-$(date -u +%Y%m%dT%H%M%SZ)
export PARTIAL="$BACKUP_DIR/.partial"
rm -f "$PARTIAL" "$PARTIAL.contents"
trap 'rm -f "$PARTIAL" "$PARTIAL.contents"' EXIT

# psql holds the snapshot while pg_dump reads it, and goes on after a pg_dump that fails: so that one leaves no file.
psql -X -q -A -t -v ON_ERROR_STOP=1 -v contents="$here/contents.sql" -o "$PARTIAL.contents" -d "$DATABASE_URL" << 'SQL'
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT pg_export_snapshot() AS snapshot \gset
\setenv SNAPSHOT :snapshot
\! pg_dump --format=custom --snapshot="$SNAPSHOT" --file="$PARTIAL" --dbname="$DATABASE_URL" || rm -f "$PARTIAL"
\i :contents
COMMIT;
SQL
if ! [ -s "$PARTIAL" ]; then
    echo "pg_dump failed; the earlier dumps are as they were." >&2
    exit 74
fi
# To the last row: a list of contents alone would not see a file that was cut.
pg_restore --file=/dev/null "$PARTIAL"
mv "$PARTIAL.contents" "$BACKUP_DIR/$name.contents"
mv "$PARTIAL" "$BACKUP_DIR/$name.dump"
echo "$name.dump: $(wc -c < "$BACKUP_DIR/$name.dump") bytes"

set -- "$BACKUP_DIR"/codellama-*.dump
while [ $# -gt "$BACKUP_KEEP" ]; do
    echo "deleting $(basename "$1"), the oldest of $#"
    rm -f "$1" "${1%.dump}.contents"
    shift
done
