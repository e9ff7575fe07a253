#!/usr/bin/env bash
# Copies all that Orthanc stores into a folder: docker/backup.sh FOLDER
#
# The files are copied while Orthanc runs, and only what is new, when the folder holds an earlier backup. Then Orthanc
# stops for the rest: the files of the last minutes and the index, which have to be of the same moment.
# Keep the folder's history with what you keep other histories with (restic, borg, snapshots).
set -euo pipefail
[ $# = 1 ] || { echo "Usage: backup.sh FOLDER" >&2; exit 2; }
mkdir -p "$1"
target=$(cd "$1" && pwd)
. "$(dirname "$0")/engine.sh"

# A stored file never changes: a newer one of the same name means that the copy was cut short.
copy='cd /from; mkdir -p /to/storage; find . -mindepth 1 -maxdepth 1 -regextype egrep -regex "./[0-9a-f]{2}" \
    -exec cp --archive --update --target-directory=/to/storage {} +'
# What has been deleted since goes; the index (SQLite) is a few files, copied as they are.
finish='rm -f /to/index*; find /from -maxdepth 1 -name "index*" -exec cp --archive --target-directory=/to {} +
    cd /to/storage; find . -type f | while read -r file; do [ -e "/from/$file" ] || rm -f "$file"; done'

in_image --volume "$storage:/from:ro" --volume "$target:/to" -- "$copy"
trap resume EXIT
compose stop $(replicas) >/dev/null
in_image --volume "$storage:/from:ro" --volume "$target:/to" -- "$copy; $finish"
if has_postgresql; then
    compose exec -T postgresql pg_dump --format=custom orthanc >"$target/index.dump.new"
    mv "$target/index.dump.new" "$target/index.dump"
fi
date --iso-8601=seconds >"$target/date"
trap - EXIT
resume
echo "backup.sh: $target is of $(cat "$target/date")"
