#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Everything that only a GPU can say, in one go: full size with random weights (8 minutes), then a
# training of the cell's `svd` backbone from latents (6 minutes). Results go to OUT/bench_gpu.json
# and OUT/bench_gpu.log; run it again with the same OUT to go on with what did not end well.
#
#   scripts/bench_gpu.sh OUT --data DIR            on a machine with an NVIDIA GPU
#   scripts/bench_gpu.sh OUT --size tiny --device cpu   the same parts, tiny, to see that they run
#
# scripts/bench_gpu.py --help tells the other options. Needs Python >= 3.11 and torch >= 2.10;
# wheels of diffusers and open_clip that lie in the folder WHEELS are installed first, without a
# network.
set -euo pipefail
cd "$(dirname "$0")/.."

PYTHON=${PYTHON:-python3}
export PYTHONPATH="training:src/vidplan_core:src/vidplan_eval:src/vidplan_sim:src/vidplan${PYTHONPATH:+:$PYTHONPATH}"
export MUJOCO_GL=${MUJOCO_GL:-egl}
if [ -n "${WHEELS:-}" ]; then
  "$PYTHON" -m pip install --quiet --no-index --find-links "$WHEELS" diffusers open_clip_torch
fi
exec "$PYTHON" -W ignore scripts/bench_gpu.py "$@"
