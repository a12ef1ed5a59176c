#!/bin/sh
# ./run gpu-pack: build/gpu-pack, a folder that runs on a machine with a GPU and no network. Built must be temper and test_conformance.
set -eu
cd "$(dirname "$0")/../.."
pack=build/gpu-pack
rm -rf "$pack"
mkdir -p "$pack/libraries" "$pack/bench"
strip -o "$pack/temper" build/bin/temper
strip -o "$pack/test_conformance" build/bin/test_conformance
# All that they load but the C library, which is the machine's.
ldd build/bin/temper build/bin/test_conformance | awk '$3 ~ /^\// { print $3 }' | sort -u |
  grep -Ev '/(libc|libm|libdl|libpthread|librt)\.so' | while read -r library; do cp -L "$library" "$pack/libraries"; done
strip --strip-unneeded "$pack"/libraries/* 2>/dev/null || true
tar -C "$pack" -cf - temper test_conformance libraries | xz -6 >"$pack/programs.tar.xz"
rm -rf "$pack/temper" "$pack/test_conformance" "$pack/libraries"
cp -R bench/gpu "$pack/bench"
mkdir "$pack/data"
cp -R examples/data/mnist examples/data/clothing10 examples/data/mobilenet_v1_0.25_224.onnx examples/data/mobilenet_v1_0.25_224.LICENSE "$pack/data"
cat >"$pack/run.sh" <<'END'
#!/bin/sh
# Unpacks and runs bench/gpu/run.py; arguments go to it.
set -eu
cd "$(dirname "$0")"
[ -x temper ] || python3 -m tarfile -e programs.tar.xz .
LD_LIBRARY_PATH=$PWD/libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH
exec python3 bench/gpu/run.py --temper "$PWD/temper" --tests "$PWD/test_conformance" --data "$PWD/data" "$@"
END
chmod +x "$pack/run.sh"
size=$(du -sk "$pack" | cut -f1)
[ "$size" -le 40960 ] || { echo "run: $pack is $size KiB, more than 40 MiB" >&2; exit 1; }
echo "$pack: $size KiB; copy it to the machine with the GPU and run ./run.sh there"
