#!/bin/sh
# Fuzzes one reader for 60 s from its committed corpus; what it finds stays in build/fuzz/found.
set -eu
cd "$(dirname "$0")/../.."
if [ "$1" = list ]; then
  for target in tests/fuzz/*.cpp; do
    [ -f "$target" ] && echo "90 $(basename "$target" .cpp)"
  done
  exit 0
fi
[ -f build/fuzz/build.ninja ] || cmake --preset fuzz
cmake --build build/fuzz --target "fuzz_$1"
work=build/fuzz/corpus/$1
mkdir -p "$work" build/fuzz/found
build/fuzz/bin/fuzz_"$1" -max_total_time=60 -timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=1024 -print_final_stats=1 \
  -artifact_prefix=build/fuzz/found/"$1"- "$work" tests/fuzz/corpus/"$1"
