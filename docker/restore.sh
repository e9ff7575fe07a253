#!/usr/bin/env bash
# Puts a backup back in the place of all that Orthanc stores now: docker/restore.sh --replace-everything FOLDER
set -euo pipefail
[ $# = 2 ] && [ "$1" = --replace-everything ] || { echo "Usage: restore.sh --replace-everything FOLDER" >&2; exit 2; }
[ -s "$2/date" ] || { echo "restore.sh: $2 holds no finished backup" >&2; exit 1; }
source=$(cd "$2" && pwd)
. "$(dirname "$0")/engine.sh"
! has_postgresql || [ -s "$source/index.dump" ] || { echo "restore.sh: $2 has no index of PostgreSQL" >&2; exit 1; }

compose stop $(replicas) >/dev/null
in_image --volume "$source:/from:ro" --volume "$storage:/to" -- '
    find /to -mindepth 1 -delete
    cp --archive /from/storage/. /to
    find /from -maxdepth 1 -name "index*" ! -name "index.dump" -exec cp --archive --target-directory=/to {} +
    chown -R orthanc:orthanc /to'
if has_postgresql; then
    compose exec -T postgresql pg_restore --clean --if-exists --exit-on-error --dbname=orthanc \
        <"$source/index.dump"
fi
resume
echo "restore.sh: what is served now is of $(cat "$source/date")"
