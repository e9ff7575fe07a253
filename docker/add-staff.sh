#!/usr/bin/env bash
# Makes an account on the staff host, or gives it a new password: docker/add-staff.sh NAME
# The password is asked for, or read from the standard input; only its hash is kept, in secrets/proxy/staff.
set -euo pipefail

[ $# = 1 ] && [[ $1 =~ ^[A-Za-z0-9._@-]+$ ]] || { echo "Usage: add-staff.sh NAME" >&2; exit 2; }
folder=$(cd "$(dirname "$0")" && pwd)/secrets
# On this machine the outer folder keeps everybody out; the containers see the inner one alone.
install -d -m 700 "$folder"
install -d -m 755 "$folder/proxy" "$folder/audience"
# By this word Orthanc knows what the proxy has let through as staff.
[ -s "$folder/audience/staff" ] || openssl rand -hex 24 >"$folder/audience/staff"
chmod 644 "$folder/audience/staff"
if [ -t 0 ]; then
    read -rsp "Password for $1, at least 12 characters: " password
    echo
else
    read -r password
fi
[ "${#password}" -ge 12 ] || { echo "add-staff.sh: the password has ${#password} characters: 12 at least" >&2; exit 1; }
hash=$(openssl passwd -6 -stdin <<<"$password")
staff=$folder/proxy/staff
touch "$staff"
# Compared as text: the dot of a.b is no pattern, and 1e1 is not 10.
{ awk -F : -v name="$1" '$1 "" != name ""' "$staff"; echo "$1:$hash"; } >"$staff.new"
chmod 644 "$staff.new"
mv "$staff.new" "$staff"
# With compose.login.yaml, its accounts are these.
[ ! -d "$folder/login" ] || "$(dirname "$folder")/make-login.sh"
