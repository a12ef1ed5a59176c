#!/bin/sh
# A run killed by SIGKILL at ten random moments, each time resumed, ends with the bits of one that was not.
set -eu
cd "$(dirname "$0")/../.."
if [ "$1" = list ]; then
  echo "60 kill"
  exit 0
fi
temper=$PWD/build/bin/temper
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export TEMPER_CACHE="$scratch/cache"

tune() { # FOLDER [OPTIONS...]
  folder=$1
  shift
  "$temper" tune cnn --data examples/data/clothing10 --preprocess size:32x32,unit --augment flip,crop:0.7 --epochs 6 --lr 1e-3 \
    --seed 3 --quiet --out "$scratch/$folder" "$@"
}

begin=$(date +%s%N)
tune whole >/dev/null
whole_ms=$((($(date +%s%N) - begin) / 1000000))
kills=0 trial=0
while [ "$kills" -lt 10 ]; do
  trial=$((trial + 1))
  [ "$trial" -le 60 ] || { echo "only $kills of 60 runs could be killed"; exit 1; }
  # Somewhere in the run; the remainder of a hash of the trial serves as chance.
  chance=$(printf 'kill %s' "$trial" | cksum | cut -d ' ' -f 1)
  after=$(awk -v c="$chance" -v w="$whole_ms" 'BEGIN { printf "%.3f", (c % 1000) / 1000 * w / 1000 }')
  tune killed --resume >/dev/null 2>&1 &
  job=$!
  sleep "$after"
  if kill -9 "$job" 2>/dev/null; then kills=$((kills + 1)); fi
  wait "$job" 2>/dev/null || true
  if [ -f "$scratch/killed/result.json" ]; then
    cmp "$scratch/whole/model.onnx" "$scratch/killed/model.onnx"
    grep -q resumed_from_step "$scratch/killed/result.json" || echo "finished without a resume"
    rm -rf "$scratch/killed"
  fi
done
tune killed --resume >/dev/null
cmp "$scratch/whole/model.onnx" "$scratch/killed/model.onnx"
echo "$kills kills in $trial runs: $(sha256sum <"$scratch/killed/model.onnx" | cut -c 1-16), as the whole run of $whole_ms ms"
