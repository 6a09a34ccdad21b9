# Sourced by scripts/numgpt and scripts/test: makes .venv in the checkout's root and installs numgpt into it, once.
# Usage: . environment.sh STAMP REQUIREMENT...   (installed again when setup.cfg is newer than the stamp)

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv="$root/.venv"
stamp="$venv/.installed-$1"
shift

fail() { echo "numgpt: $*" >&2; exit 2; }

find_python() {
    for candidate in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11 python3.10 python; do
        [ -n "$candidate" ] || continue
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

works() { "$venv/bin/python" -c 'import pip' 2>/dev/null; }  # not after the Python that it was made with went

ready() { [ -e "$stamp" ] && [ ! "$root/setup.cfg" -nt "$stamp" ] && works; }

set_up() {
    if ! works; then
        echo "Setting up $venv (once, about a minute)..." >&2
        "$1" -m venv --clear "$venv" >&2 || fail "could not make $venv; on Debian or Ubuntu: apt install python3-venv"
    fi
    echo "Installing numgpt and what it needs..." >&2
    (cd "$root" && "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "${@:2}" >&2) ||
        fail "the installation failed: see above, mend it and run this again"
    touch "$stamp"
}

# One at a time: the lock is on this very file, which bash holds open as 9, and ends with bash, however that ends.
if ! ready; then
    python=$(find_python) || fail "Python 3.10 or later is needed and was not found (set PYTHON to name one)"
    exec 9<>"${BASH_SOURCE[0]}"
    "$python" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)' || fail "could not lock ${BASH_SOURCE[0]}"
    ready || set_up "$python" "$@"
    exec 9>&-
fi
