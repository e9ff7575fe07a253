#!/usr/bin/env bash
# Puts a backup back in the place of all that Orthanc stores now: docker/restore.sh --replace-everything FOLDER
#
# The whole backup is read and checked first, then laid beside what is there, while Orthanc runs. Orthanc stops for the
# exchange alone. What was there before is removed when Orthanc serves the backup; if it does not, it is put back.
set -euo pipefail
[ $# = 2 ] && [ "$1" = --replace-everything ] || { echo "Usage: restore.sh --replace-everything FOLDER" >&2; exit 2; }
source=$(cd "$2" && pwd)
. "$(dirname "$0")/engine.sh"
exec 9<"$source"
flock --nonblock 9 || { echo "restore.sh: a backup writes to $source" >&2; exit 1; }

step() { on_files --volume "$storage:/storage" --volume "$source:/backup:ro" -- "$1"; }
in_postgresql() { compose exec -T postgresql "$@"; }
sql() { in_postgresql psql --dbname=postgres --quiet --tuples-only --no-align --command="$1"; }
has_database() { [ "$(sql "SELECT 1 FROM pg_database WHERE datname = '$1'")" = 1 ]; }

# Undoes what has been done so far.
put_back() {
    compose stop $(replicas) >/dev/null
    step back
    if has_postgresql; then
        if has_database before_restore; then
            sql "DROP DATABASE IF EXISTS orthanc"
            sql "ALTER DATABASE before_restore RENAME TO orthanc"
        fi
        sql "DROP DATABASE IF EXISTS restoring"
    fi
}
begun=
clean_up() {
    status=$?
    if [ "$status" != 0 ] && [ -n "$begun" ]; then
        echo "restore.sh: putting back what was there" >&2
        put_back
        resume
    fi
    [ "$status" = 0 ] || echo "restore.sh: nothing has been restored" >&2
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

step verify
state=$(cat "$source/current")
if has_postgresql; then kind=index.dump; else kind=index; fi
[ -s "$source/$state/$kind" ] || { echo "restore.sh: $2 has no $kind" >&2; exit 1; }
begun=yes
step lay
if has_postgresql; then
    sql "DROP DATABASE IF EXISTS restoring"
    sql "CREATE DATABASE restoring"
    in_postgresql pg_restore --exit-on-error --dbname=restoring <"$source/$state/index.dump"
fi
compose stop $(replicas) >/dev/null
step swap
if has_postgresql; then
    sql "ALTER DATABASE orthanc RENAME TO before_restore"
    sql "ALTER DATABASE restoring RENAME TO orthanc"
fi
resume
begun=
step keep
! has_postgresql || sql "DROP DATABASE before_restore"
echo "restore.sh: $state is served"
