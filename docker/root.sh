#!/usr/bin/env bash
# Runs a command in a Debian root with a real Orthanc, the plugin and its tools, without a container engine.
#
#   docker/root.sh COMMAND [ARGUMENT...]   runs it with this checkout as /src, the folder it starts in
#   docker/root.sh --remove                removes the root and its download caches
#
# The root lies in .root/ and is made at first use. It is made again when this script or install.sh changes, and its
# packages are installed again when pyproject.toml or the viewers' lock file ask for others. Mounts and processes live in namespaces of
# the command's own: nothing of either is left when it ends, however it ends.
# Variables: SUITE (of Debian; all but trixie in a root of its own), DEBIAN_MIRROR (making the root), DATA (a folder,
# seen as /data), CONFIG (a file, seen below /config).
set -euo pipefail

checkout=$(cd "$(dirname "$0")/.." && pwd)
suite=${SUITE:-trixie}
root=$checkout/.root/$([ "$suite" = trixie ] && echo debian || echo "$suite")
log=$checkout/.root/log
cache=$checkout/.root/cache
certificates=/etc/ssl/certs/ca-certificates.crt
export checkout cache certificates

say() { echo "docker/root.sh: $*" >&2; }
fail() { say "$@"; exit 1; }

# The namespace's first process: mounts what the command needs, then becomes it.
enter() {
    local root=$1 file name environment
    shift
    exec 9<&- # the lock stays with unshare
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    mkdir -p "$root/src" "$root/shared" "$root/data" "$root/config" "$root/var/cache/pip" "$root/var/cache/npm"
    mount --bind "$checkout" "$root/src"
    mount -t tmpfs -o size=4k,mode=0555 tmpfs "$root/src/.root" # nobody searches the root from inside
    mount --bind "$cache/apt" "$root/var/cache/apt/archives"
    mount --bind "$cache/pip" "$root/var/cache/pip"
    mount --bind "$cache/npm" "$root/var/cache/npm"
    if [ -d "$checkout/../shared" ]; then mount --bind -o ro "$checkout/../shared" "$root/shared"; fi
    # The machine's own authorities and names: a network may have its own.
    for file in "$certificates" /etc/resolv.conf /etc/hosts; do
        if [ -e "$file" ] && [ -e "$root$file" ]; then mount --bind "$file" "$root$file"; fi
    done
    environment=(HOME=/root LANG=C.UTF-8 PIP_CERT="$certificates" SSL_CERT_FILE="$certificates"
        REQUESTS_CA_BUNDLE="$certificates" NODE_EXTRA_CA_CERTS="$certificates" PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_CACHE_DIR=/var/cache/pip
        NPM_CONFIG_CACHE=/var/cache/npm
        PATH=/opt/orthanc-stl-plugin/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)
    # Empty ones are left out: Orthanc would put nothing, rather than the default, into its configuration.
    for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY PIP_INDEX_URL PIP_EXTRA_INDEX_URL \
        PIP_DEFAULT_TIMEOUT NPM_CONFIG_REGISTRY CI TERM PYTEST_ADDOPTS HTTP_PORT DICOM_PORT REMOTE_ACCESS_ALLOWED; do
        if [ -n "${!name:-}" ]; then environment+=("$name=${!name}"); fi
    done
    if [ -n "${DATA:-}" ]; then environment+=(DATA=/data); mount --bind "$DATA" "$root/data"; fi
    if [ -n "${CONFIG:-}" ]; then
        environment+=("CONFIG=/config/$(basename "$CONFIG")")
        mount --bind "$(dirname "$CONFIG")" "$root/config"
    fi
    exec chroot "$root" /usr/bin/env --ignore-environment --chdir=/src "${environment[@]}" "$@"
}
export -f enter
inside=(bash -euc 'enter "$@"' enter)

# Runs a command in new namespaces, which end with this script: even with SIGKILL, each process takes the next along.
# The command is a job of its own, so that a signal sent to our process group reaches it once: through pass_on.
in_namespaces() {
    local status=0
    set -m
    setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child "$@" &
    child=$!
    set +m
    trap 'pass_on INT' INT && trap 'pass_on TERM' TERM HUP
    while signalled=; do
        wait "$child" && status=0 || status=$?
        [ -n "$signalled" ] || return "$status"
    done
}

# unshare takes no signals: they go to the process it made. While the root is made, that one takes none either.
pass_on() {
    signalled=yes
    if [ -n "$making" ]; then kill -s KILL "$child"; exit 130; fi
    # shellcheck disable=SC2046 # one process or none
    kill -s "$1" $(cat "/proc/$child/task/$child/children") 2>/dev/null || true
}

remove_root() {
    if grep -qF " $checkout/.root/" /proc/self/mountinfo; then
        fail "something is mounted below $checkout/.root: unmount it first (see findmnt)"
    fi
    rm -f "$root/stamp" # first: what is half removed must not be taken for whole
    rm -rf "$@"
}

require_means() {
    unshare --mount true 2>/dev/null || fail "may not mount here: needs a machine, or a container with CAP_SYS_ADMIN"
    command -v debootstrap >/dev/null && return
    command -v apt-get >/dev/null || fail "needs debootstrap, which this system's package manager may have"
    say "installing debootstrap on this machine with apt-get"
    make_step sh -euc 'apt-get update; DEBIAN_FRONTEND=noninteractive apt-get install -y debootstrap'
}

# make_step COMMAND...: silent, with the end of the log when it fails.
make_step() {
    in_namespaces "$@" >>"$log" 2>&1 </dev/null && return
    tail -n 25 "$log" >&2
    fail "the root could not be made: see above, and $log"
}

make_root() {
    local install=(bash /src/docker/install.sh --editable --with-tests /src)
    local DATA= CONFIG= # the command's own, which need not exist yet
    mkdir -p "$cache/apt" "$cache/pip" "$cache/npm" "$cache/debootstrap"
    : >"$log"
    require_means
    if [ "$(cut -d' ' -f1 "$root/stamp" 2>/dev/null)" != "$system" ]; then
        say "making a Debian root with Orthanc in .root/: about two minutes, once"
        remove_root "$root" "$root.new"
        make_step debootstrap --variant=minbase --include=ca-certificates --cache-dir="$cache/debootstrap" \
            "$suite" "$root.new" ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"}
        # A mirror of a suite that changes daily may lag behind: its lists then count as expired.
        [ "$suite" = trixie ] || echo 'Acquire::Check-Valid-Until "false";' >"$root.new/etc/apt/apt.conf.d/90lag"
        make_step "${inside[@]}" "$root.new" "${install[@]}" --debian-only
        mv "$root.new" "$root"
    fi
    echo "$system" >"$root/stamp"
    say "installing the Python packages that pyproject.toml names, and the viewers"
    make_step "${inside[@]}" "$root" "${install[@]}"
    echo "$system $packages" >"$root/stamp"
}

is_current() { [ "$(cat "$root/stamp" 2>/dev/null)" = "$system $packages" ]; }
lock() { flock --nonblock "$1" 9 || { say "waiting for another command in .root/ to end"; flock "$1" 9; }; }

[ $# -gt 0 ] || { sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"; exit 2; }
[ "$(id -u)" = 0 ] || fail "must run as root, to mount folders: try sudo"
making=yes
# Commands share the lock; making and removing the root have it alone.
exec 9<"$checkout/docker"
if [ "$1" = --remove ]; then
    flock --nonblock 9 || fail "a command still runs in .root/: stop it first"
    remove_root "$checkout/.root"
    exit
fi
system=$(sha256sum "$checkout/docker/install.sh" "$checkout/docker/root.sh" | sha256sum | cut -c-64)
# The parts of pyproject.toml that decide what is installed: a linter's setting does not cost a new installation.
packages=$({
    awk '/^\[/{keep = /^\[+(build-system|project|dependency-groups|tool\.hatch)/} keep' "$checkout/pyproject.toml"
    cat "$checkout/docker/viewers/package-lock.json"
} | sha256sum | cut -c-64)
lock --shared
until is_current; do
    lock --exclusive
    is_current || make_root
    lock --shared
done
making=
if [ -n "${DATA:-}" ]; then mkdir -p "$DATA" && DATA=$(realpath "$DATA"); fi
if [ -n "${CONFIG:-}" ]; then [ -e "$CONFIG" ] || fail "there is no $CONFIG"; CONFIG=$(realpath "$CONFIG"); fi
in_namespaces "${inside[@]}" "$root" tini -- "$@"
