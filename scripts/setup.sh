#!/usr/bin/env bash
# Sets up everything that vqc needs: system libraries, .venv, the Python packages of constraints.txt.
# Costs a moment where all of it is there. $PYTHON chooses the interpreter; pip's and uv's own
# settings (PIP_*, UV_*, proxies, certificates) hold.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Loaded at run time by OCP, OpenCV and VTK: the library, and the Debian and Ubuntu package that brings it
LIBRARIES=(libGL.so.1:libgl1 libEGL.so.1:libegl1 libgthread-2.0.so.0:libglib2.0-0)
DISK_GB=8
log=.venv/setup.log
unset PYTHONHOME

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$@" >&2; exit 1; }

find_python() { # prints the first interpreter that is new enough
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} python3 python3.12 python3.13 python3.11 python3.14; do
        # the interpreter behind an activated environment, not that environment's own
        "$candidate" -c 'import sys
sys.exit(1) if sys.version_info < (3, 11) else print(sys._base_executable)' 2>/dev/null && return
    done
    return 1
}

has_library() { # asks the loader itself where there is a Python
    if [ -n "$python" ]; then
        "$python" -c 'import ctypes, sys; ctypes.CDLL(sys.argv[1])' "$1" 2>/dev/null
    else
        PATH="$PATH:/sbin:/usr/sbin" ldconfig -p | grep -qF "$1 "
    fi
}

find_missing() { # fills names (what is missing) and packages (what brings it)
    local pair
    names=() packages=()
    python=$(find_python) || python=""
    if [ -z "$python" ]; then
        names+=("Python 3.11 or newer with venv (Debian 12 and Ubuntu 24.04 bring it)")
        packages+=(python3 python3-venv)
    elif ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        names+=("Python's venv module (of $("$python" -V))")
        packages+=(python3-venv)
    fi
    for pair in "${LIBRARIES[@]}"; do
        has_library "${pair%%:*}" && continue
        names+=("${pair%%:*}")
        packages+=("${pair#*:}")
    done
}

apt_install() { # apt_install [sudo -n]
    local log run=("$@" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120)
    say "installing ${packages[*]} (apt)"
    log=$(mktemp)
    "${run[@]}" update >"$log" 2>&1 || true # one broken source need not matter
    "${run[@]}" install -y --no-install-recommends "${packages[@]}" >>"$log" 2>&1 ||
        tail -n 15 "$log" >&2
    rm -f "$log"
}

system_packages() { # installs them where allowed; otherwise names each, and stops
    local name sudo="" how=" as root"
    find_missing
    [ ${#names[@]} -eq 0 ] && return
    if [ "$(id -u)" -eq 0 ]; then
        command -v apt-get >/dev/null && apt_install
    elif command -v sudo >/dev/null; then
        sudo="sudo " how=""
        command -v apt-get >/dev/null && sudo -n true 2>/dev/null && apt_install sudo -n
    fi
    find_missing
    [ ${#names[@]} -eq 0 ] && return
    for name in "${names[@]}"; do say "missing: $name" >&2; done
    fail "install what is missing$how, then run this again; on Debian and Ubuntu (universe) with" \
        "  ${sudo}apt-get update && ${sudo}apt-get install -y --no-install-recommends ${packages[*]}"
}

stamp() { # what the environment was made from, and where it stands
    "$1" -c 'import hashlib, sys
files = [open(name, "rb").read() for name in ("pyproject.toml", "constraints.txt")]
print(hashlib.sha256(b"".join(files)).hexdigest(), sys.version.split()[0], sys.argv[1])' "$PWD"
}

is_ready() {
    [ -x .venv/bin/vqc ] && [ -f .venv/stamp ] && [ "$(cat .venv/stamp)" = "$(stamp .venv/bin/python 2>/dev/null)" ]
}

check_disk() { # check_disk FOLDER HINT
    local folder=$1 free_kb
    while [ ! -d "$folder" ]; do folder=$(dirname "$folder"); done
    free_kb=$(df -Pk "$folder" | awk 'NR == 2 { print $4 }')
    [ "$free_kb" -ge $((DISK_GB * 1000000)) ] || fail \
        "$1 is on a disk with $((free_kb / 1000000)) GB free; about $DISK_GB GB are needed. $2"
}

explain() { # says what to do about a failed step, from what it wrote
    case "$(tail -n 40 "$log")" in
    *"No space left"* | *"os error 28"*) say "the disk is full; about $DISK_GB GB are needed" ;;
    *[Cc]ertificate* | *UnknownIssuer*) say "a certificate is not trusted: SSL_CERT_FILE names the file of yours" ;;
    *"dns error"* | *"name resolution"* | *onnect* | *"timed out"* | *"No matching distribution"* | \
        *ResolutionImpossible* | *"network was disabled"*)
        say "no way to the package registry: check the network, HTTPS_PROXY, PIP_INDEX_URL" ;;
    *) say "mend what the lines above name, and run this again" ;;
    esac >&2
    exit 1
}

logged() { # runs a step into the log; on a terminal one line says that it lives
    local status=0 ticker
    printf '+ %s\n' "$*" >>"$log"
    while [ -t 2 ] && sleep 1; do
        printf '\r\033[K  %s s  %.70s' "$SECONDS" "$(tail -n 1 "$log")" >&2
    done &
    ticker=$!
    trap 'kill "$ticker" 2>/dev/null' EXIT
    "$@" >>"$log" 2>&1 || status=$?
    kill "$ticker" 2>/dev/null || true
    trap - EXIT
    [ -t 2 ] && printf '\r\033[K' >&2
    [ "$status" -eq 0 ] || tail -n 25 "$log" >&2
    return "$status"
}

share_settings() { # pip's own index and certificates serve uv too
    local index certificates
    index=$(.venv/bin/pip config get global.index-url 2>/dev/null) || index=""
    index=${PIP_INDEX_URL:-$index}
    [ -z "$index" ] || [ -n "${UV_INDEX_URL:-}" ] || export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$index}"
    for certificates in "${PIP_CERT:-}" /etc/ssl/certs/ca-certificates.crt; do
        [ -f "$certificates" ] && export SSL_CERT_FILE="${SSL_CERT_FILE:-$certificates}"
    done
    export UV_HTTP_TIMEOUT="${UV_HTTP_TIMEOUT:-180}"
}

make_environment() {
    local fresh=""
    if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
        check_disk "$PWD/.venv" "Clone the project to a larger one."
        rm -rf .venv
        "$python" -m venv .venv || fail "$python cannot make a virtual environment in $PWD/.venv"
        fresh=yes
    fi
    rm -f .venv/stamp
    : >"$log"
    share_settings
    logged .venv/bin/python -m pip install -q --disable-pip-version-check -c constraints.txt uv || explain
    [ -z "$fresh" ] ||
        check_disk "$(.venv/bin/uv cache dir)" "UV_CACHE_DIR names another place for downloads."
    say "installing Python packages into .venv (about 3 GB to download the first time)"
    # uv, because pip may prefer a CPU-only torch that lies about, which fits no torchvision
    logged .venv/bin/uv pip install --python .venv/bin/python -c constraints.txt -e '.[dev]' || explain
    stamp .venv/bin/python >.venv/stamp.new
    mv .venv/stamp.new .venv/stamp
}

system_packages
if command -v flock >/dev/null; then # two set-ups at once: the second waits
    exec 9>.venv.lock
    flock 9
fi
is_ready && exit
SECONDS=0
make_environment
say "ready in $SECONDS s: $PWD/.venv with $(.venv/bin/python -V)"
