#!/bin/bash
# Runs once, on an empty volume: the application's own role and database, without any right beyond them.
set -euo pipefail
psql --set ON_ERROR_STOP=1 --set password="$POSTGRES_APP_PASSWORD" --username "$POSTGRES_USER" --dbname postgres <<'SQL'
CREATE ROLE taskhub LOGIN PASSWORD :'password';
CREATE DATABASE taskhub OWNER taskhub;
SQL
