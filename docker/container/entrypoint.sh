#!/bin/sh
# Starts Orthanc, whose log becomes JSON. Where NAME_FILE names a file (a secret), the configuration sees its content
# as ${NAME}.
set -eu
for name in $(env | sed -n 's/^\([A-Z][A-Z0-9_]*\)_FILE=.*/\1/p'); do
    file=$(printenv "${name}_FILE")
    [ -r "$file" ] || { echo "entrypoint.sh: cannot read $file, which ${name}_FILE names" >&2; exit 1; }
    export "$name=$(cat "$file")"
done
exec /usr/local/lib/orthanc-stl-plugin/logged.py Orthanc "$@"
