#!/bin/sh
# Starts PostgreSQL; the first time, with a user and a database "orthanc" whose password is in the file PASSWORD_FILE.
# Upgrades to another major version are by dump and restore: backup.sh, a new volume, restore.sh.
set -eu
PATH=$(echo /usr/lib/postgresql/*/bin):$PATH
data=/var/lib/postgresql/data
if [ ! -e "$data/PG_VERSION" ]; then
    initdb --pgdata="$data" --username=orthanc --pwfile="$PASSWORD_FILE" --auth-local=trust --auth-host=scram-sha-256 \
        --encoding=UTF8 --locale=C.UTF-8 >/dev/null
    echo "host all all all scram-sha-256" >>"$data/pg_hba.conf"
    postgres --single -D "$data" postgres <<'SQL' >/dev/null
CREATE DATABASE orthanc
SQL
fi
exec postgres -D "$data" -k /tmp -c listen_addresses='*' -c log_destination=stderr -c logging_collector=off "$@"
