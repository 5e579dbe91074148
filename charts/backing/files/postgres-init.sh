#!/bin/bash
# Runs once, on an empty volume: the application's own role and database, without any right beyond them; and, where it has
# a password, a role that sees statistics and no rows.
set -euo pipefail
psql --set ON_ERROR_STOP=1 --set password="$POSTGRES_APP_PASSWORD" --username "$POSTGRES_USER" --dbname postgres <<'SQL'
CREATE ROLE taskhub LOGIN PASSWORD :'password';
CREATE DATABASE taskhub OWNER taskhub;
SQL
if [[ -n ${POSTGRES_MONITORING_PASSWORD:-} ]]; then
    psql --set ON_ERROR_STOP=1 --set password="$POSTGRES_MONITORING_PASSWORD" --username "$POSTGRES_USER" --dbname postgres <<'SQL'
CREATE ROLE monitoring LOGIN PASSWORD :'password' CONNECTION LIMIT 5 IN ROLE pg_monitor;
SQL
fi
