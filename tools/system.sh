#!/bin/sh
# What the tests need that pip does not have: a PostgreSQL server, and mkfs.xfs for a file system that shares blocks; with
# the word `browser` Chromium, too, in which the slow tests look at pages. Root gets them from apt-get, others are told;
# the tests that need one skip without. Quick when all are there.
set -eu
missing=""
has_postgres() {
    command -v initdb >/dev/null && return
    for path in /usr/lib/postgresql/*/bin/initdb; do
        [ -x "$path" ] && return
    done
    return 1
}
has_postgres || missing="postgresql"
command -v mkfs.xfs >/dev/null || [ -x /usr/sbin/mkfs.xfs ] || missing="$missing xfsprogs"
if [ "${1:-}" = browser ]; then
    command -v chromium >/dev/null || missing="$missing chromium fonts-dejavu-core"
fi
[ -n "$missing" ] || exit 0
if [ "$(uname -s)" = Linux ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    # Of PostgreSQL only the programs: the tests start servers of their own.
    mkdir -p /etc/postgresql-common
    [ -e /etc/postgresql-common/createcluster.conf ] || echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
    # shellcheck disable=SC2086 # several words are meant
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $missing >/dev/null; } ||
        echo "could not be installed:$missing; the tests that need it are skipped" >&2
else
    echo "not installed, so that the tests that need it are skipped: $missing (apt-get install $missing)" >&2
fi
