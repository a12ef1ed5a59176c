#!/bin/sh
# clang-tidy over one whole folder.
set -eu
cd "$(dirname "$0")/../.."
if [ "$1" = list ]; then
  for folder in src/* tests examples; do
    count=$(git ls-files "$folder" | grep -c '\.cpp$' || true)
    [ "$count" = 0 ] || echo "$((count * 4)) $folder"
  done
  exit 0
fi
python3 tools/check_tidy.py "$1"
