#!/usr/bin/env bash
# Starts nginx: fills in its configuration, makes a certificate if none is given, and follows Orthanc's addresses.
#
# Variables: STAFF_HOST and PUBLIC_HOST (names), HTTPS_PORT (as clients see it), ORTHANC_SERVERS (name:port ...),
# LOGIN_SERVER (name:port of the one in compose.login.yaml; empty: password.lua asks for passwords),
# PUBLIC_RATE and PUBLIC_BURST (requests of one client), PUBLIC_CONNECTIONS (of one client at once), DRAWN_RATE and
# DRAWN_BURST (turned or enlarged pictures for one client), UPLOAD_LIMIT (a request of staff), CACHE_SIZE, LOCKOUT_S
# (see password.lua).
# Files: /run/secrets/proxy/staff (htpasswd), and tls.crt and tls.key beside it if the administrator has them;
# /run/secrets/audience/staff, the word by which Orthanc knows that this proxy has let staff in.
set -euo pipefail

readonly secrets=/run/secrets/proxy audience=/run/secrets/audience/staff own=/var/lib/proxy state=/tmp/proxy
readonly interval_s=1

say() {
    local text=${*//\\/\\\\}
    TZ=UTC printf '{"time":"%(%FT%TZ)T","log":"proxy","message":"%s"}\n' -1 "${text//\"/\\\"}" >&2
}
fail() { say "$*"; exit 1; }

: "${STAFF_HOST:?}" "${PUBLIC_HOST:?}" "${HTTPS_PORT:=443}" "${ORTHANC_SERVERS:=orthanc:8042}"
: "${PUBLIC_RATE:=200}" "${PUBLIC_BURST:=1000}" "${PUBLIC_CONNECTIONS:=100}" "${DRAWN_RATE:=5}" "${DRAWN_BURST:=20}"
: "${LOGIN_SERVER:=}" "${UPLOAD_LIMIT:=2g}" "${CACHE_SIZE:=2g}"
# Browsers write names in small letters.
STAFF_HOST=${STAFF_HOST,,} PUBLIC_HOST=${PUBLIC_HOST,,}
for name in "$STAFF_HOST" "$PUBLIC_HOST"; do
    [[ $name =~ ^[A-Za-z0-9.-]+$ ]] || fail "$name is no host name"
done
[ "$STAFF_HOST" != "$PUBLIC_HOST" ] || fail "STAFF_HOST and PUBLIC_HOST must differ"
[ -s "$secrets/staff" ] && [ -s "$audience" ] || fail "nobody may log in yet: docker/add-staff.sh NAME makes an account"
mkdir -p "$state"

certificate=$secrets/tls.crt key=$secrets/tls.key
if [ ! -e "$certificate" ]; then
    certificate=$own/tls.crt key=$own/tls.key
    # One of other names, or that ends within a month, is made again.
    covers() { [[ $(openssl x509 -in "$certificate" -noout -checkhost "$1" 2>&1) == *"does match"* ]]; }
    if ! { openssl x509 -in "$certificate" -noout -checkend 2592000 && covers "$STAFF_HOST" && covers "$PUBLIC_HOST"
    } >/dev/null 2>&1; then
        say "no certificate is given: making one that browsers warn about"
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -days 365 -subj "/CN=$STAFF_HOST" \
            -addext "subjectAltName=DNS:$STAFF_HOST,DNS:$PUBLIC_HOST" -keyout "$key" -out "$certificate" 2>/dev/null
    fi
fi

port=
[ "$HTTPS_PORT" = 443 ] || port=:$HTTPS_PORT
if [ -n "$LOGIN_SERVER" ]; then login=session; else login=password; fi
sed -e "s|@STAFF_HOST@|$STAFF_HOST|g" -e "s|@PUBLIC_HOST@|$PUBLIC_HOST|g" -e "s|@PORT@|$port|g" \
    -e "s|@RATE@|$PUBLIC_RATE|g" -e "s|@BURST@|$PUBLIC_BURST|g" -e "s|@CACHE_SIZE@|$CACHE_SIZE|g" \
    -e "s|@LOGIN@|$login|g" -e "s|@CONNECTIONS@|$PUBLIC_CONNECTIONS|g" -e "s|@DRAWN_RATE@|$DRAWN_RATE|g" \
    -e "s|@DRAWN_BURST@|$DRAWN_BURST|g" -e "s|@UPLOAD_LIMIT@|$UPLOAD_LIMIT|g" \
    -e "s|@STAFF@|$(cat "$audience")|g" -e "s|@CERTIFICATE@|$certificate|g" -e "s|@KEY@|$key|g" \
    /usr/local/lib/proxy/nginx.conf >"$state/nginx.conf"

# A container gets a new address whenever it is made again, and nginx asks for addresses only once: so names become
# addresses here, again and again. A replica that is away keeps its last one: nginx notices by itself.
declare -A addresses
# write_servers FILE UPSTREAM NAME:PORT...: whether the file is another than before. It is one upstream of nginx.
write_servers() {
    local file=$state/$1 upstream=$2 server address
    for server in "${@:3}"; do
        address=$(getent ahostsv4 "${server%:*}" | awk '{print $1; exit}') || true
        [ -z "$address" ] || addresses[$server]=$address
        address=${addresses[$server]:-}
        [ -z "$address" ] || echo "server $address:${server##*:} max_fails=1 fail_timeout=2s;"
    done >"$file.new"
    [ -s "$file.new" ] || return 1
    [ -z "$upstream" ] || sed -i -e "1i upstream $upstream {" -e '$a }' "$file.new"
    ! cmp -s "$file.new" "$file" || return 1
    mv "$file.new" "$file"
}
write_orthanc() {
    # shellcheck disable=SC2086 # words
    write_servers servers.conf "" $ORTHANC_SERVERS
}
write_login() { [ -n "$LOGIN_SERVER" ] && write_servers login.conf login "$LOGIN_SERVER"; }

until write_orthanc; do sleep 1; done
if [ -n "$LOGIN_SERVER" ]; then
    until write_login; do sleep 1; done
else
    echo 'map "" $login_account { default ""; }' >"$state/login.conf"
fi
nginx -c "$state/nginx.conf" -e stderr -g 'daemon off;' 2> >(while read -r line; do say "$line"; done) &
nginx=$!
trap 'kill -QUIT "$nginx"' TERM INT
while kill -0 "$nginx" 2>/dev/null; do
    sleep "$interval_s" &
    wait -n || true
    if write_orthanc || write_login; then
        say "servers have moved: $(cat "$state"/{servers,login}.conf | tr '\n' ' ')"
        kill -HUP "$nginx"
    fi
done
wait "$nginx"
