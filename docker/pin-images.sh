#!/usr/bin/env bash
# Writes into .env which base images are meant, to the last byte: docker/pin-images.sh
#
# Fetches the images of BASE (Orthanc) and DEBIAN (the proxy and PostgreSQL) and puts their digests behind their names.
# What is built from then on stands on these images, whatever happens to the names. Run again, it takes the newest ones
# of the same names: do so once a month and after security notices, then build, test, and keep the old .env until it works.
set -euo pipefail
cd "$(dirname "$0")"
[ -f .env ] || { echo "pin-images.sh: there is no .env: copy .env.example first" >&2; exit 1; }
if [ -n "${ENGINE:-}" ]; then :; elif command -v docker >/dev/null; then ENGINE=docker; else ENGINE=podman; fi

cp .env .env.new
trap 'rm -f .env.new' EXIT
for default in BASE=docker.io/library/debian:forky-slim DEBIAN=docker.io/library/debian:trixie-slim; do
    name=${default%%=*}
    image=$(sed -n "s/^$name=//p" .env | tail -n 1)
    image=${image:-${default#*=}}
    image=${image%@sha256:*}
    "$ENGINE" pull --quiet "$image" >/dev/null
    digest=$("$ENGINE" image inspect --format '{{index .RepoDigests 0}}' "$image")
    digest=${digest##*@}
    [[ $digest =~ ^sha256:[0-9a-f]{64}$ ]] || { echo "pin-images.sh: no digest of $image: $digest" >&2; exit 1; }
    sed -i "/^$name=/d" .env.new
    echo "$name=$image@$digest" >>.env.new
    echo "$name=$image@$digest"
done
mv .env.new .env
