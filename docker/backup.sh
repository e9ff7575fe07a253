#!/usr/bin/env bash
# Copies all that Orthanc stores into a folder, and checks the copy: docker/backup.sh [--quick] FOLDER
#
# The files are copied while Orthanc runs, and only what is new, when the folder holds an earlier backup. Then Orthanc
# stops for the rest: the files of the last minutes and the index, which have to be of the same moment. It runs again
# while the whole copy is read and compared with its checksums; --quick leaves out what an earlier backup has checked.
# A backup that fails ends with an error, and leaves the earlier one as it was.
# Keep the folder's history with what you keep other histories with (restic, borg, snapshots).
set -euo pipefail
quick=()
[ "${1:-}" != --quick ] || { quick=(--quick); shift; }
[ $# = 1 ] || { echo "Usage: backup.sh [--quick] FOLDER" >&2; exit 2; }
mkdir -p "$1"
target=$(cd "$1" && pwd)
. "$(dirname "$0")/engine.sh"
exec 9<"$target"
flock --nonblock 9 || { echo "backup.sh: another backup writes to $target" >&2; exit 1; }

state=state-$(date --utc +%Y%m%dT%H%M%SZ)
step() { on_files --volume "$storage:/storage:ro" --volume "$target:/backup" -- "$1" --state "$state" "${@:2}"; }
stopped=
clean_up() {
    status=$?
    [ -z "$stopped" ] || resume || status=1
    if [ "$(cat "$target/current" 2>/dev/null)" != "$state" ]; then
        rm -rf "${target:?}/$state" "$target/current.new"
        echo "backup.sh: no new backup; an earlier one in $target is as it was" >&2
    fi
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

mkdir "$target/$state"
step copy
stopped=yes
compose stop $(replicas) >/dev/null
step copy
if has_postgresql; then
    compose exec -T postgresql pg_dump --format=custom orthanc >"$target/$state/index.dump"
else
    step index
fi
resume
stopped=
! has_postgresql || compose exec -T postgresql pg_restore --file=/dev/null <"$target/$state/index.dump"
step finish "${quick[@]}"
echo "backup.sh: $target holds $state"
