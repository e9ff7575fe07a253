#!/usr/bin/env bash
# Makes what compose.login.yaml needs: its secrets, once, and its accounts from those of add-staff.sh:
# docker/make-login.sh. From then on add-staff.sh keeps both alike.
set -euo pipefail
cd "$(dirname "$0")"
[ -s secrets/proxy/staff ] || { echo "make-login.sh: nobody may log in yet: add-staff.sh NAME makes an account" >&2; exit 1; }
install -d -m 755 secrets/login
for name in session storage reset; do
    [ -s "secrets/login/$name" ] || openssl rand -hex 32 >"secrets/login/$name"
    chmod 644 "secrets/login/$name"
done
awk -F : 'BEGIN { print "users:" } { printf "  \"%s\": { displayname: \"%s\", password: \"%s\" }\n", $1, $1, $2 }' \
    secrets/proxy/staff >secrets/login/users.new
chmod 644 secrets/login/users.new
mv secrets/login/users.new secrets/login/users.yml
