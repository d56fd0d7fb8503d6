#!/usr/bin/env bash
# Run the fast suite on every Python: tests/every_python.sh [INTERPRETER ...], by default 3.11, 3.12 and 3.13 from PATH or pyenv.
# One line for each; the output of a suite that fails follows its line. PYTEST_ADDOPTS is respected.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

release() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null; }

find_python() {
    local one
    for one in "$(command -v "python$1")" "$HOME/.pyenv/versions/$1".*/bin/python; do
        [ -n "$one" ] && [ "$(release "$one")" = "$1" ] && echo "$one" && return
    done
    return 1
}

try() {
    local name folder log python status
    if ! name=$(release "$1"); then
        echo "$1: not found"
        failed=1
        return
    fi
    folder=$(mktemp -d "$work/XXXXXX")
    log=$folder/log python=$folder/venv/bin/python
    if ! { "$1" -m venv "$folder/venv" && "$python" -m pip install -q -e "${root}[test]"; } >"$log" 2>&1; then
        echo "$name: neurosim could not be installed"
        cat "$log"
        failed=1
        return
    fi
    (cd "$root" && "$python" -m pytest -n 2 --dist loadfile) >"$log" 2>&1
    status=$?
    echo "$name brian2 $("$python" -c 'import brian2; print(brian2.__version__)'): $(tail -n 1 "$log" | sed -E 's/^=+ //; s/ in [0-9.]+s.*$//')"
    [ "$status" -eq 0 ] || { cat "$log"; failed=1; }
}

if [ $# -gt 0 ]; then
    for one in "$@"; do try "$one"; done
else
    tried=0
    for wanted in 3.11 3.12 3.13; do
        if one=$(find_python "$wanted"); then
            tried=$((tried + 1))
            try "$one"
        else
            echo "$wanted: not found"
        fi
    done
    [ "$tried" -gt 0 ] || failed=1
fi
exit "$failed"
