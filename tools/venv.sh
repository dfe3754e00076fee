#!/bin/sh
# A virtual environment with uv in it: tools/venv.sh PYTHON FOLDER. Says what is missing when it cannot be made.
set -eu
python=$1
venv=$2
[ -x "$venv/bin/uv" ] && exit 0
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "headway needs Python 3.11 or newer; $python is $("$python" --version 2>&1)" >&2
    exit 1
}
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq && apt-get install -qq -y python3-venv >/dev/null
    else
        echo "python3 has no venv module: install python3-venv (Debian, Ubuntu) and run make again" >&2
        exit 1
    fi
fi
"$python" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check 'uv>=0.5,<1'
