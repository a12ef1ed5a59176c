#!/bin/sh
# Every C++ file is as clang-format-19 writes it; with --fix it is rewritten.
set -eu
cd "$(dirname "$0")/.."
mode="--dry-run --Werror"
[ "${1-}" = --fix ] && mode=-i
git ls-files -z '*.h' '*.cpp' '*.cc' | xargs -0 -r -n 40 -P "$(nproc)" clang-format-19 $mode
