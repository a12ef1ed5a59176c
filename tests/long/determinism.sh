#!/bin/sh
# One seed gives the same bits in ten runs, and with one thread as with two: a small network, a new head on a frozen one,
# whole networks (resnet20 stands beside the repository).
set -eu
cd "$(dirname "$0")/../.."
if [ "$1" = list ]; then
  printf '%s\n' "60 cnn" "60 head" "120 mobilenet_v2" "60 resnet20"
  exit 0
fi
photos=examples/data/clothing10
resnet20=${TEMPER_SHARED:-../shared}/data/models/cifar10/resnet20_cifar10.onnx
case $1 in
  cnn) set -- cnn --preprocess size:32x32,unit --augment flip,crop:0.7,rotate:10,color:0.2 --epochs 3 --lr 1e-3 ;;
  head) set -- examples/data/mobilenet_v1_0.25_224.onnx --preprocess tf --head gap,dense:64:relu,dropout:0.2,dense --epochs 5 ;;
  mobilenet_v2) photos=$photos/test && set -- mobilenet_v2 --val-split 0 --batch 16 --augment flip --epochs 1 --optimizer sgd --momentum 0.9 --lr 1e-2 ;;
  resnet20)
    [ -f "$resnet20" ] || { echo "skipped, because $resnet20 is absent"; exit 0; }
    set -- "$resnet20" --preprocess size:32x32,unit,mean:0.5,std:0.25 --head gap,dense --trainable all --augment flip --epochs 1 --optimizer sgd --momentum 0.9 --lr 1e-2
    ;;
esac
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export TEMPER_CACHE=off # every run computes what is frozen

# The model of the best epoch, and what every epoch measured (without its seconds).
bits_of() { # THREADS TUNE-OPTIONS...
  threads=$1
  shift
  build/bin/temper tune "$@" --data "$photos" --seed 5 --threads "$threads" --quiet --out "$scratch/run" --overwrite >/dev/null
  { cut -d , -f 1-3,5- "$scratch/run/history.csv"; cat "$scratch/run/model.onnx"; } | sha256sum | cut -c 1-16
}

first=$(bits_of 2 "$@")
for run in 2 3 4 5 6 7 8 9 10; do
  again=$(bits_of 2 "$@")
  [ "$again" = "$first" ] || { echo "run $run gives $again, the first $first"; exit 1; }
done
alone=$(bits_of 1 "$@")
[ "$alone" = "$first" ] || { echo "one thread gives $alone, two $first"; exit 1; }
echo "ten runs with two threads and one with one: $first"
