#!/bin/sh
# make_database.sh SERVER_URL NAME MIGRATIONS: makes database NAME with audit's schema. sqitch deploys once, into a
# template named after the migrations' content; every test program then gets a copy, which takes a moment only.
set -eu
url=$1 name=$2 migrations=$3
template=tocsin_audit_$(cat "$migrations"/sqitch.plan "$migrations"/deploy/*.sql | md5sum | cut -c1-12)
at() { echo "$url" | sed -E "s#^([^?]*)/[^/?]*(\?.*)?\$#\1/$1\2#"; }
ask() { psql -qAt -v ON_ERROR_STOP=1 "$url" -c "$1"; }

exec 9> "${TMPDIR:-/tmp}/$template.lock"
flock 9
if [ -z "$(ask "SELECT 1 FROM pg_database WHERE datname = '$template'")" ]; then
  ask "DROP DATABASE IF EXISTS ${template}_new WITH (FORCE)"
  ask "CREATE DATABASE ${template}_new"
  (cd "$migrations" && sqitch deploy --verify "db:pg:$(at "${template}_new" | sed -E 's#^[a-z]+:##')")
  ask "ALTER DATABASE ${template}_new RENAME TO $template"
fi
ask "DROP DATABASE IF EXISTS $name WITH (FORCE)"
ask "CREATE DATABASE $name TEMPLATE $template"
