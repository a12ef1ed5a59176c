#!/bin/sh
# Negates each gradient of each op in turn, in process: the checks of tests/unit/ops must notice every one.
set -eu
cd "$(dirname "$0")/../.."
if [ "$1" = list ]; then
  echo "5 all"
  exit 0
fi
build/bin/test_ops --gtest_filter='*FlippedGradientsAreNoticed*'
