#!/usr/bin/env bash
# Builds both images and tests the museum in containers, with podman and without a daemon: make test-deployment
#
# Needs root on a Debian-like machine; podman and its network come from apt-get. Everything else lies in .deployment/:
# Debian's base images made by debootstrap (nothing is pulled), the images, the samples, Python packages.
# Arguments go to pytest; --sizing alone measures instead, --remove alone removes .deployment/. KEEP_IMAGES=1 builds no
# image again.
set -euo pipefail
cd "$(dirname "$0")/../.."
readonly state=$PWD/.deployment
readonly certificates=/etc/ssl/certs/ca-certificates.crt

if [ "${1:-}" = --remove ]; then
    sed -n "s| - .*||; s|.* \($state/[^ ]*\) .*|\1|p" /proc/self/mountinfo | sort --reverse --unique |
        while read -r mounted; do umount "$mounted"; done
    exec rm -rf "$state" /run/orthanc-stl-plugin-deployment
fi
mkdir -p "$state"

# iptables: no package asks for it, and without it netavark starts no container.
if ! command -v podman >/dev/null || ! command -v iptables >/dev/null ||
    ! [ -e /usr/lib/podman/netavark ] || ! [ -e /usr/lib/podman/aardvark-dns ]; then
    apt-get update
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
        podman runc netavark aardvark-dns iptables python3-venv
fi

# Images and containers of the tests are apart from the machine's own.
cat >"$state/storage.conf" <<TEXT
[storage]
driver = "overlay"
runroot = "/run/orthanc-stl-plugin-deployment"
graphroot = "$state/containers"
TEXT
cat >"$state/containers.conf" <<'TEXT'
[containers]
default_ulimits = ["nofile=1024:4096", "nproc=4096:8192"]
[engine]
runtime = "runc"
helper_binaries_dir = ["/usr/lib/podman", "/usr/libexec/podman"]
[network]
network_backend = "netavark"
TEXT
export CONTAINERS_STORAGE_CONF=$state/storage.conf CONTAINERS_CONF=$state/containers.conf
export DEPLOYMENT_STATE=$state

# Debian stable for the proxy and PostgreSQL, testing for Orthanc.
for suite in trixie forky; do
    base=docker.io/library/debian:$suite-slim
    podman image exists "$base" && continue
    docker/root.sh true # installs debootstrap where it is missing
    rm -rf "$state/base"
    # An older debootstrap does not know the name of Debian testing, which is made as all newer ones are.
    debootstrap --variant=minbase --include=ca-certificates --cache-dir="$PWD/.root/cache/debootstrap" \
        "$suite" "$state/base" "${DEBIAN_MIRROR:-}" /usr/share/debootstrap/scripts/sid >"$state/base.log"
    rm -f "$state"/base/var/cache/apt/archives/*.deb
    # A mirror of a suite that changes daily may lag behind: its lists then count as expired.
    [ "$suite" = trixie ] || echo 'Acquire::Check-Valid-Until "false";' >"$state/base/etc/apt/apt.conf.d/90lag"
    tar --directory="$state/base" --create . | podman import - "$base"
    rm -rf "$state/base"
done

venv=$state/venv
[ -x "$venv/bin/podman-compose" ] || {
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet podman-compose pytest requests
}
export PATH=$venv/bin:$PATH

if [ -z "${KEEP_IMAGES:-}" ]; then
    MUSEUM_NAME=- STAFF_HOST=- PUBLIC_HOST=- CA_BUNDLE=$certificates podman-compose \
        --file docker/compose.yaml --file docker/compose.scale.yaml \
        --podman-build-args='--format docker --isolation=chroot --network=host' build >"$state/build.log" 2>&1 ||
        { tail -n 50 "$state/build.log" >&2; exit 1; }
fi
if [ "${1:-}" = --sizing ]; then
    command -v wrk >/dev/null || { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes wrk; }
    docker/root.sh python -m tests.deployment.sizing_samples .deployment/sizing
    exec "$venv/bin/python" -m tests.deployment.sizing "$state"
fi
docker/root.sh sh -euc 'python -m tests.deployment.samples .deployment/samples
    Orthanc --openapi=.deployment/samples/openapi.json orthanc.json 2>/dev/null'
exec "$venv/bin/python" -m pytest tests/deployment -p no:cacheprovider "$@"
