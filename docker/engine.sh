# Sourced by the scripts beside it: `compose` and `engine`, with docker or with podman, whichever is there.
# COMPOSE_FILES names the files, as in COMPOSE_FILES="compose.yaml compose.scale.yaml".
cd "$(dirname "${BASH_SOURCE[0]}")"
if [ -n "${ENGINE:-}" ]; then :; elif command -v docker >/dev/null; then ENGINE=docker; else ENGINE=podman; fi
: "${COMPOSE:=$([ "$ENGINE" = docker ] && echo docker compose || echo podman-compose)}" "${COMPOSE_FILES:=compose.yaml}"
: "${ORTHANC_IMAGE:=$(sed -n 's/^ORTHANC_IMAGE=//p' .env)}"
readonly project=${COMPOSE_PROJECT_NAME:-museum}
readonly storage=${project}_storage

# Containers outlive a script and what it has open: its lock (9) stays with it.
engine() { "$ENGINE" "$@" 9<&-; }

# shellcheck disable=SC2086 # words
compose() {
    local files=() file
    for file in $COMPOSE_FILES; do files+=(--file "$file"); done
    $COMPOSE --project-name "$project" "${files[@]}" "$@" 9<&-
}

has_postgresql() { [[ $COMPOSE_FILES == *scale* ]]; }
replicas() { if has_postgresql; then echo orthanc orthanc-2; else echo orthanc; fi; }

# Starts Orthanc again, and returns when it answers.
resume() {
    local name start=$SECONDS
    compose start $(replicas) >/dev/null
    for name in $(replicas); do
        until compose exec -T "$name" /usr/local/lib/orthanc-stl-plugin/health.py >/dev/null 2>&1; do
            [ $((SECONDS - start)) -lt "${START_LIMIT_S:-300}" ] || { echo "Orthanc does not answer: see its log" >&2; return 1; }
            sleep 1
        done
    done
}

# on_files OPTION... -- STEP...: container/backup.py as root in Orthanc's image, without network.
on_files() {
    local options=()
    while [ "$1" != -- ]; do options+=("$1"); shift; done
    shift
    engine run --rm --network none --user 0 --volume "$PWD/container:/program:ro" "${options[@]}" \
        --entrypoint /usr/bin/python3 "${ORTHANC_IMAGE:-localhost/orthanc-stl-plugin:latest}" /program/backup.py "$@"
}
