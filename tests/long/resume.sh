#!/bin/sh
# A run killed by SIGKILL, at ten random moments or when little is left, is resumed: it ends with the bits of one that was not,
# and does not do again what was done.
set -eu
cd "$(dirname "$0")/../.."
if [ "$1" = list ]; then
  printf '%s\n' "60 kill" "60 late" "120 late_frozen"
  exit 0
fi
item=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export TEMPER_CACHE="$scratch/cache"

case $item in
  late_frozen) epochs=500 job="examples/data/mobilenet_v1_0.25_224.onnx --preprocess tf --head gap,dense:1024:relu,dropout:0.2,dense" ;;
  late) epochs=60 job="cnn --preprocess size:32x32,unit --augment flip,crop:0.7" ;;
  kill) epochs=6 job="cnn --preprocess size:32x32,unit --augment flip,crop:0.7" ;;
esac
job="build/bin/temper tune $job --data examples/data/clothing10 --epochs $epochs --lr 1e-3 --seed 3"

now_ms() { echo $(($(date +%s%N) / 1000000)); }
seconds() { awk -v ms="$1" 'BEGIN { printf "%.3f", ms / 1000 }'; }
whole_run() { # sets whole_ms
  begin=$(now_ms)
  $job --quiet --out "$scratch/whole" --overwrite >/dev/null
  whole_ms=$(($(now_ms) - begin))
}
kill_after() { # MILLISECONDS: false if the run was faster
  $job --quiet --out "$scratch/killed" --resume >/dev/null 2>&1 &
  process=$!
  sleep "$(seconds "$1")"
  killed=0
  kill -9 "$process" 2>/dev/null || killed=1
  wait "$process" 2>/dev/null || true
  return $killed
}
resume() {
  $job --quiet --out "$scratch/killed" --resume >/dev/null
  cmp "$scratch/whole/model.onnx" "$scratch/killed/model.onnx"
}

ten_kills() {
  whole_run
  kills=0 trial=0
  while [ "$kills" -lt 10 ]; do
    trial=$((trial + 1))
    [ "$trial" -le 60 ] || { echo "only $kills of 60 runs could be killed"; exit 1; }
    # Somewhere in the run; the remainder of a hash of the trial serves as chance.
    chance=$(printf 'kill %s' "$trial" | cksum | cut -d ' ' -f 1)
    if kill_after $((chance % 1000 * whole_ms / 1000)); then kills=$((kills + 1)); fi
    if [ -f "$scratch/killed/result.json" ]; then
      cmp "$scratch/whole/model.onnx" "$scratch/killed/model.onnx"
      grep -q resumed_from_step "$scratch/killed/result.json" || echo "finished without a resume"
      rm -rf "$scratch/killed"
    fi
  done
  resume
  echo "$kills kills in $trial runs: $(sha256sum <"$scratch/killed/model.onnx" | cut -c 1-16), as the whole run of $whole_ms ms"
}

# Leaves a run of its own folder when it says that EPOCH is done.
kill_after_epoch() {
  rm -rf "$TEMPER_CACHE" "$scratch/killed" "$scratch/progress"
  mkfifo "$scratch/progress"
  $job --progress plain --out "$scratch/killed" >/dev/null 2>"$scratch/progress" &
  process=$!
  exec 3<"$scratch/progress"
  while read -r line <&3; do
    case $line in epoch*" $1/"*) break ;; esac
  done
  kill -9 "$process"
  exec 3<&-
  wait "$process" 2>/dev/null || true
}

# Three whole runs, each then killed at 90 % of its epochs: what is left takes at most 40 % of the time, as a median. Caches pass from a
# killed run to its resumption, but from no run to the next.
late_kills() {
  shares=
  for trial in 1 2 3; do
    rm -rf "$TEMPER_CACHE"
    whole_run
    kill_after_epoch $((epochs * 9 / 10))
    begin=$(now_ms)
    resume
    rest_ms=$(($(now_ms) - begin))
    shares="$shares $((rest_ms * 100 / whole_ms))"
    echo "trial $trial: whole run $whole_ms ms, rest $rest_ms ms, $(grep -o '"resumed_from_step":[1-9][0-9]*' "$scratch/killed/result.json")"
  done
  echo "killed at 90 %, the rest took of the whole time in %:$shares"
  [ "$(printf '%s\n' $shares | sort -n | sed -n 2p)" -le 40 ]
}

case $item in
  kill) ten_kills ;;
  late*) late_kills ;;
esac
