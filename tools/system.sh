#!/bin/sh
# What the tests need that pip does not have: a PostgreSQL server. Root gets it from apt-get, others are told; the tests
# that need it skip without. Quick when it is there.
set -eu
for path in /usr/lib/postgresql/*/bin/initdb; do
    [ -x "$path" ] && exit 0
done
command -v initdb >/dev/null && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    # Only the programs: the tests start servers of their own.
    mkdir -p /etc/postgresql-common
    [ -e /etc/postgresql-common/createcluster.conf ] || echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends postgresql >/dev/null; } ||
        echo "PostgreSQL could not be installed: tests that need it are skipped" >&2
else
    echo "PostgreSQL is not installed: tests that need it are skipped (apt-get install postgresql)" >&2
fi
