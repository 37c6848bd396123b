#!/usr/bin/env bash
# Reads datasets and exports with other versions of the libraries that people read them with: the oldest and newest `datasets` of
# the stated range, Ultralytics' label reader, cityscapesScripts. Each is in an environment of its own that takes the rest from VENV.
#   tools/try_readers.sh VENV
set -euo pipefail

venv=$(realpath "${1:-.venv}")
site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
results=()

try() { # NAME "PIP ARGUMENTS" TEST...
  local name=$1 packages=$2 env=build/readers/$1
  shift 2
  "$venv/bin/python" -m venv --clear "$env"
  echo "$site" >"$("$env/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/rest.pth"
  # shellcheck disable=SC2086  # several arguments
  "$env/bin/python" -m pip install -q --disable-pip-version-check $packages
  "$env/bin/python" -m pytest -n0 -q -p no:cacheprovider "$@"
  results+=("$name: $("$env/bin/python" -c 'import sys; from importlib.metadata import version; print(version(sys.argv[1]))' "${name%-*}")")
}

try datasets-oldest "datasets==3.0.0" tests/dataset/test_hugging_face.py tests/dataset/test_other_readers.py
try datasets-newest "--upgrade datasets" tests/dataset/test_hugging_face.py tests/dataset/test_other_readers.py
# Without what they depend on: Ultralytics wants torchvision, cityscapesScripts a package that replaces `typing`;
# its evaluation calls numpy.in1d, which numpy 2.4 no longer has.
try ultralytics "--no-deps ultralytics" tests/export/test_ultralytics.py
try cityscapesscripts "--no-deps cityscapesscripts pyquaternion coloredlogs humanfriendly appdirs numpy<2.4" tests/export/test_cityscapes.py
printf 'read by %s\n' "${results[@]}"
