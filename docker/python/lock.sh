#!/usr/bin/env bash
# Writes the lock files beside it: every Python package that is installed, with its version and hashes. Run by make lock,
# which passes ARGS=--upgrade on to take the newest versions rather than the locked ones.
#
#   development.txt   the plugin's packages, its tests and tools: docker/root.sh
#   runtime.txt       the plugin's packages, in the versions that are tested: the image
#   build.txt         what builds the plugin and fetches the viewers, and is not kept in the image
#
# They hold for every Python from 3.12 on, and name no index: pip's own setting counts.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=docker/python
compile() {
    uv pip compile --universal --python-version 3.12 --generate-hashes --no-annotate --quiet \
        --custom-compile-command "make lock" "$@"
}
compile "$@" --group dev pyproject.toml "$folder/build.in" --output-file "$folder/development.txt"
compile --upgrade --constraints "$folder/development.txt" pyproject.toml --output-file "$folder/runtime.txt"
compile --upgrade --constraints "$folder/development.txt" "$folder/build.in" --output-file "$folder/build.txt"
