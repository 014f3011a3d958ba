#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Everything that only a GPU can say, in one go: full size with random weights, then a short
# training of the cell's `svd` backbone. Results go to OUT/bench_gpu.json and OUT/bench_gpu.log.
#
#   scripts/bench_gpu.sh OUT                     on a machine with an NVIDIA GPU: 8 + 6 minutes
#   SIZE=small DEVICE=cpu scripts/bench_gpu.sh OUT    the same steps, small, to see that they run
#
# Needs Python >= 3.11 and torch >= 2.10; wheels of diffusers and open_clip that lie in WHEELS are
# installed first, without a network. A step that fails is named in the result; the others go on.
# SLACK=10 gives every step ten times its time, for a machine that is busy.
set -uo pipefail
cd "$(dirname "$0")/.."

OUT=$(mkdir -p "${1:?folder for the results}" && cd "$1" && pwd)
SIZE=${SIZE:-full} DEVICE=${DEVICE:-cuda} PYTHON=${PYTHON:-python3}
REPEATS=${REPEATS:-15} LIMIT_S=${LIMIT_S:-8} SLACK=${SLACK:-1} TRAIN_S=${TRAIN_S:-360} DATA=${DATA:-}
export PYTHONPATH="training:src/vidplan_core:src/vidplan_eval:src/vidplan_sim:src/vidplan${PYTHONPATH:+:$PYTHONPATH}"
exec > >(tee "$OUT/bench_gpu.log") 2>&1

if [ -n "${WHEELS:-}" ]; then
  "$PYTHON" -m pip install --quiet --no-index --find-links "$WHEELS" diffusers open_clip_torch
fi

# step NAME SECONDS COMMAND...: run it within its time, remember its exit status.
STEPS=()
step() {
  local name=$1 seconds=$2 began=$SECONDS status
  shift 2
  echo "== $name"
  timeout --kill-after=10 "$((seconds * SLACK))" "$@"
  status=$?
  # A training that was told to stop when its time was over says 130.
  [ "$status" -eq 130 ] && status=0
  STEPS+=("$name=$status=$((SECONDS - began))")
}

bench() {
  local name=$1 seconds=$2
  shift 2
  step "$name" "$seconds" "$PYTHON" -W ignore -m vidplan.cli.main bench engine \
    --size "$SIZE" --device "$DEVICE" --repeats "$REPEATS" --limit "$LIMIT_S" \
    --params config/full_size.yaml --json "$OUT/$name.json" "$@"
}

step agreement 90 "$PYTHON" -W ignore scripts/bench_agreement.py --device "$DEVICE" \
  --json "$OUT/agreement.json"
bench eager 170 --steps 1 2 4 --value picture
bench compiled 220 --steps 1 4 --value picture --compile --channels-last

if [ -n "$DATA" ]; then
  step training "$((TRAIN_S + 30))" timeout --preserve-status --signal=INT "$TRAIN_S" \
    "$PYTHON" -W ignore -m vidplan_training.cli world-model --set data="$DATA" \
    models=models/cell model.backbone=svd out="$OUT/model" work="$OUT/run.pt" \
    trainer.iterations="${ITERATIONS:-20000}" compile="${COMPILE:-false}"
else
  echo 'no training: name a folder of cell episodes by DATA'
fi

"$PYTHON" scripts/bench_collect.py "$OUT" "$SIZE" "$DEVICE" "${STEPS[@]}"
