#!/usr/bin/env bash
# Starts Orthanc, fills it with samples (python -m tools.demo) and serves until a signal. Run inside docker/root.sh.
set -euo pipefail

readonly log=$DATA/orthanc.log start_limit_s=60
orthanc=

stop() {
    [ -z "$orthanc" ] || { kill "$orthanc" && wait "$orthanc"; } 2>/dev/null || true
}
trap stop EXIT
trap 'exit 0' INT TERM

fail() {
    tail -n 20 "$log" >&2
    echo "demo: $*" >&2
    exit 1
}

Orthanc "$CONFIG" >"$log" 2>&1 &
orthanc=$!
# Asking HTTP alone might be answered by another server that has the port already.
until grep -q 'Orthanc has started' "$log"; do
    if ! kill -0 "$orthanc" 2>/dev/null; then
        ! grep -q 'already in use' "$log" || fail \
            "port $HTTP_PORT or $DICOM_PORT is taken: try make demo HTTP_PORT=8043 DICOM_PORT=4243"
        fail "Orthanc did not start: its log ends as above"
    fi
    [ "$SECONDS" -lt "$start_limit_s" ] || fail "Orthanc did not start within $start_limit_s s: see its log above"
    sleep 0.2
done

python -m tools.demo &
wait $! || fail "the samples could not be loaded: see above, and the end of Orthanc's log"
echo "Orthanc serves on http://127.0.0.1:$HTTP_PORT until Ctrl-C; its log is orthanc.log in the folder DATA."
wait "$orthanc" || fail "Orthanc ended by itself"
