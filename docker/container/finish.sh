#!/usr/bin/env bash
# The last step of the image's build, after install.sh: what only a container needs, and no more than that.
set -euo pipefail

readonly prefix=/opt/orthanc-stl-plugin
readonly plugins=/usr/share/orthanc/plugins

# Earlier ones die on malformed uploads, without any plugin (1.12.7 on a fragment that ends early, and on deep nesting).
readonly oldest=1.13
version=$(Orthanc --version | awk 'NR == 1 {print $2}')
if [ "$(printf '%s\n' "$oldest" "$version" | sort --version-sort | head -n 1)" != "$oldest" ]; then
    echo "finish.sh: the base has Orthanc $version: $oldest or newer is needed" >&2
    exit 1
fi

# The index in PostgreSQL, for several replicas; images that bring an Orthanc of their own have it already.
if dpkg-query --search "$(command -v Orthanc)" >/dev/null 2>&1; then
    apt-get update
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends orthanc-postgresql
fi

# Folders for "Plugins": the plugin loader and, where the image has it, Orthanc Explorer 2. The official plugins stl and
# wsi stay out: they would take the addresses of ours.
link() {
    local folder=$prefix/$1 name path
    mkdir -p "$folder"
    shift
    for name; do
        for path in "$plugins/$name" "$plugins-available/$name"; do
            [ ! -e "$path" ] || ln -sfn "$path" "$folder/$name"
        done
    done
}
link plugins libOrthancPython.so libOrthancExplorer2.so
link plugins-postgresql libOrthancPython.so libOrthancExplorer2.so libOrthancPostgreSQLIndex.so
[ -e "$prefix/plugins/libOrthancPython.so" ] || { echo "finish.sh: the base has no Python plugin" >&2; exit 1; }

# Orthanc Explorer 2 gets its buttons from a file beside museum.json, which another may be mounted over.
install -d /etc/museum
if [ -e "$prefix/plugins/libOrthancExplorer2.so" ]; then
    "$prefix/venv/bin/orthanc-stl-plugin" explorer2-json >/etc/museum/explorer2.json
fi

# New DICOM identifiers rest on the number of the machine. orthancteam's image has a file for it, the same in every
# container until its own entry point fills it: without the file, the container's address is the number.
rm -f /etc/hostid

# A fixed number, for the owners of files in volumes. Debian's package has made the user, with any.
id orthanc >/dev/null 2>&1 || useradd --system --home-dir /var/lib/orthanc orthanc
usermod --uid 1042 orthanc
groupmod --gid 1042 orthanc 2>/dev/null || groupadd --system --gid 1042 orthanc
usermod --gid 1042 orthanc
rm -rf /var/lib/orthanc/db* /var/lib/orthanc/pyramids
install -d -o orthanc -g orthanc /var/lib/orthanc /var/lib/orthanc/db /var/lib/orthanc/pyramids

# Neither tests nor the installer are needed to run.
"$prefix/venv/bin/python" -m pip uninstall --quiet --yes pip
find "$prefix/venv/lib" -type d \( -name tests -o -name test \) -path '*/site-packages/*' -prune -exec rm -rf {} +
apt-get clean
rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log /var/cache/debconf/*-old /usr/share/man /usr/share/doc-base

install -D -t /usr/local/lib/orthanc-stl-plugin "$(dirname "$0")"/{entrypoint.sh,health.py,logged.py}
"$prefix/venv/bin/python" "$(dirname "$0")/bill.py" >/usr/share/orthanc-stl-plugin.cdx.json
