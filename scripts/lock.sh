#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Writes requirements/constraints*.txt, one version of every package, and requirements/hashes*.lock,
# the same with the SHA-256 of every file that may be installed as it.
# For maintainers, after changing requirements/*.txt; needs uv (`pip install uv`).
#
#   scripts/lock.sh            newest versions and their hashes
#   scripts/lock.sh --hashes   hashes of the versions that are there
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../requirements"

# Lines for other systems and Pythons only blur the list, and pinocchio is what franky-sim
# would drag in, were it not installed alone.
resolve() {
    uv pip compile --quiet --no-annotate --no-header torch.txt no-deps.txt base.txt "$@" | sed -E \
        -e "/sys_platform == '(win32|darwin|emscripten)'\$/d" \
        -e "/python_full_version >= '3\.1[4-9]'\$/d" \
        -e "/^(pin|cmeel|coal|libcoal|libpinocchio|eigenpy|hpp-fcl|eiquadprog|proxsuite)[a-z0-9-]*==/d"
}

# ROS 2's own build tools stay Ubuntu's where ROS 2 is sourced: it generates code with them.
without_build_tools() { grep -vE '^(catkin-pkg|empy|lark-parser)=='; }

write() {
    local file="$1" about="$2"; shift 2
    {
        echo "# $about Written by scripts/lock.sh."
        echo '# The nvidia-*, cuda-* and triton lines matter where the torch build is one for CUDA.'
        if [[ "$file" == *-with-ros.txt ]]; then resolve "$@" | without_build_tools
        else resolve "$@"; fi
    } > "$file.new"
    mv "$file.new" "$file"
    echo "$(grep -c '==' "$file") pins in requirements/$file"
}

# What a machine's pip configuration chooses among several builds has no hash that is right
# everywhere: torch, and what a CUDA build of it brings.
UNHASHED='^(torch|triton|nvidia-[a-z0-9-]*|cuda-[a-z0-9-]*)=='
NOT_OURS="sys_platform == '(win32|darwin|emscripten)' ."'$'"|python_full_version >= '3[.]1[4-9]' ."'$'
FRANKY_SIMS='^(pin|cmeel|coal|libcoal|libpinocchio|eigenpy|hpp-fcl|eiquadprog|proxsuite)[a-z0-9-]*=='

write_hashes() {
    local file="$1" constraints="$2" about="$3" drop="$UNHASHED|$NOT_OURS|$FRANKY_SIMS"; shift 3
    [[ "$file" == *-with-ros.lock ]] && drop+='|^(catkin-pkg|empy|lark-parser)=='
    {
        echo "# $about Written by scripts/lock.sh; installed with --no-deps --require-hashes."
        echo '# Without torch and what a CUDA build of it brings (nvidia-*, cuda-*, triton): which'
        echo "# build it is is the choice of the machine's pip configuration; see torch.txt."
        uv pip compile --quiet --no-annotate --no-header --generate-hashes -c "$constraints" \
            torch.txt no-deps.txt base.txt "$@" | awk -v drop="$drop" '/^[^ ]/ { keep = $0 !~ drop } keep'
    } > "$file.new"
    mv "$file.new" "$file"
    echo "$(grep -c '==' "$file") pins in requirements/$file"
}

if [[ "${1:-}" != --hashes ]]; then
    write constraints.txt 'Where no ROS 2 is sourced: Linux, Python 3.10 to 3.13.' \
        --universal --python-version 3.10 without-ros.txt
    write constraints-with-ros.txt 'Where ROS 2 Jazzy is sourced: Ubuntu 24.04, Python 3.12.' \
        --universal --python-version 3.12 with-ros.txt
fi
write_hashes hashes.lock constraints.txt 'Where no ROS 2 is sourced: Linux, Python 3.10 to 3.13.' \
    --universal --python-version 3.10 without-ros.txt
write_hashes hashes-with-ros.lock constraints-with-ros.txt \
    'Where ROS 2 Jazzy is sourced: Ubuntu 24.04, Python 3.12.' \
    --universal --python-version 3.12 with-ros.txt
