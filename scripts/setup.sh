#!/bin/sh
# Prepares this checkout: Debian packages that are missing, then the Python environment in .venv/.
# usage: setup.sh demo|board|test|check
#   demo   runs the demo on an emulated board        board  runs it on a board of yours, without QEMU
#   test   runs every test                           check  format, lint, types
set -eu
cd "$(dirname "$0")/.."
what=$1
python=${PYTHON:-python3}

# The same lists as in targets/requirements.py (a test compares them).
emulator="qemu-system-arm qemu-utils e2fsprogs openssh-client debian-archive-keyring"
testing="openssh-server chromium iproute2"

say() { printf '%s\n' "$*" >&2; }
installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

wanted=""
command -v "$python" >/dev/null 2>&1 || wanted="python3"
"$python" -c 'import ensurepip, venv' 2>/dev/null || wanted="$wanted python3-venv"
case $what in
  demo) wanted="$wanted $emulator" ;;
  test) wanted="$wanted $emulator $testing" ;;
esac
missing=""
for package in $wanted; do installed "$package" || missing="$missing $package"; done

as_root=""
if [ "$(id -u)" != 0 ]; then as_root="sudo"; fi

apt_knows() { apt-get install -s -qq --no-install-recommends $missing >/dev/null 2>&1; }
apt_size() {
  LC_ALL=C apt-get install --print-uris -qq -y --no-install-recommends $missing 2>/dev/null |
    awk '{ sum += $3 } END { printf "%.0f MB", sum / 1e6 }'
}

if [ -n "$missing" ]; then
  if ! command -v apt-get >/dev/null 2>&1; then
    say "hilbench needs these Debian packages, and this machine has no apt-get:$missing"; exit 2
  fi
  if [ -n "$as_root" ] && ! command -v sudo >/dev/null 2>&1; then
    say "hilbench needs more Debian packages, and this account may not install them. As root, run:"
    say "  apt-get install --no-install-recommends$missing"; exit 2
  fi
  if ! apt_knows; then $as_root apt-get update -qq || true; fi  # a fresh machine has no package lists
  if ! apt_knows; then say "apt does not know all of these packages, or cannot install them:$missing"; exit 2; fi
  say "hilbench will now install, with apt, under /usr:$missing"
  say "  download: $(apt_size)"
fi
if [ ! -x .venv/bin/hilbench ]; then
  say "hilbench will make its Python environment in $(pwd)/.venv (download: about $([ "$what" = demo ] || [ "$what" = board ] && echo 130 || echo 330) MB)"
fi
case $what in
  demo|test) say "The emulated board's image is made once, in ${HILBENCH_IMAGE_CACHE:-$HOME/.cache/hilbench/images} (download: about 160 MB)" ;;
esac

if [ -n "$missing" ]; then
  if [ -t 0 ] && [ "${YES:-}" != 1 ]; then
    printf 'Go on? [Y/n] ' >&2; read -r answer
    case $answer in ""|y|Y|yes) ;; *) say "Nothing was installed."; exit 2 ;; esac
  fi
  log=$(mktemp)
  if ! DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing >"$log" 2>&1; then
    tail -n 5 "$log" >&2; say "apt-get could not install:$missing"; exit 2
  fi
  rm -f "$log"
fi

"$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' || {
  say "hilbench needs Python 3.11 to 3.14, and $python is $("$python" -V 2>&1). Name another: make $what PYTHON=python3.12"; exit 2; }

extra=""
case $what in test|check) extra="[dev]" ;; esac
stamp=".venv/.installed$extra"
if [ ! -e "$stamp" ] || [ pyproject.toml -nt "$stamp" ] || [ constraints.txt -nt "$stamp" ]; then
  [ -x .venv/bin/python ] || "$python" -m venv .venv
  .venv/bin/python -m pip install -q --disable-pip-version-check -c constraints.txt -e ".$extra" 2>&1 | grep -v '^WARNING' >&2 || true
  .venv/bin/hilbench --help >/dev/null || { say "The Python environment in .venv could not be made; see above."; exit 2; }
  touch "$stamp"
fi
