#!/usr/bin/env bash
# Makes the password that Orthanc and PostgreSQL share, once: docker/make-postgresql-password.sh
set -euo pipefail
folder=$(cd "$(dirname "$0")" && pwd)/secrets
install -d -m 700 "$folder"
install -d -m 755 "$folder/postgresql"
file=$folder/postgresql/password
[ -s "$file" ] || openssl rand -hex 24 >"$file"
chmod 644 "$file"
