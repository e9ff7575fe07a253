#!/usr/bin/env bash
# Stores a backup of one Orthanc, whose index is SQLite, in Orthancs with PostgreSQL: docker/move-index.sh FOLDER
#
# An Orthanc serves the backup to the others meanwhile; container/move.py copies. What is there already is left alone, so
# it may be started again.
set -euo pipefail
[ $# = 1 ] || { echo "Usage: COMPOSE_FILES=\"compose.yaml compose.scale.yaml\" move-index.sh FOLDER" >&2; exit 2; }
state=$(cat "$1/current" 2>/dev/null) && [ -s "$1/$state/index" ] ||
    { echo "move-index.sh: $1 holds no finished backup with SQLite" >&2; exit 1; }
source=$(cd "$1" && pwd)
. "$(dirname "$0")/engine.sh"
has_postgresql || { echo "move-index.sh: COMPOSE_FILES does not name compose.scale.yaml" >&2; exit 1; }

readonly old=${project}_old
stop() { engine rm --force "$old" >/dev/null 2>&1 || true; }
trap stop EXIT
stop
engine run --detach --name "$old" --network "${project}_default" --user 0 --volume "$source:/backup:ro" \
    --entrypoint /bin/sh "${ORTHANC_IMAGE:-localhost/orthanc-stl-plugin:latest}" -euc '
    mkdir /tmp/index
    cp "/backup/$0/index" /tmp/index
    echo "{ \"StorageDirectory\": \"/backup/storage\", \"IndexDirectory\": \"/tmp/index\", \"DicomServerEnabled\": false,
        \"RemoteAccessAllowed\": true, \"AuthenticationEnabled\": false, \"SaveJobs\": false }" >/tmp/old.json
    exec Orthanc /tmp/old.json' "$state" >/dev/null
compose exec -T orthanc python3 - "http://$old:8042" <container/move.py
