#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Sets the workspace up: system packages, one virtual environment, the colcon workspace.
# Safe to repeat; what is already there is skipped. `make setup` calls it.
#
#   PYTHON=/path/to/python3   interpreter for the environment (3.10 to 3.13)
#
# With ROS 2 sourced ($ROS_DISTRO set), the environment sees that ROS and no ROS wheel is
# installed; without, ROS 2 Jazzy comes from wheels. pip uses the machine's own configuration.
set -Eeuo pipefail

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
cd "$ROOT"
VENV="$ROOT/.venv"
PY="$VENV/bin/python"
LOG="$ROOT/log/setup.log"
MODE="${ROS_DISTRO:-wheels}"
STARTED=$SECONDS

say() { printf '%s\n' "$*"; }
fail() { printf '\nset-up stopped: %s\n' "$*" >&2; exit 1; }

trap 'fail "unexpected error in line $LINENO of scripts/setup.sh; see $LOG"' ERR

# --- steps with elapsed time -------------------------------------------------------------------

# step TITLE COMMAND...: run it with its output in the log, and show how long it takes.
step() {
    local title="$1" begin=$SECONDS status=0 job; shift
    printf -- '-- %s\n' "$title" >> "$LOG"
    if [ -t 1 ]; then
        "$@" >> "$LOG" 2>&1 & job=$!
        while kill -0 "$job" 2> /dev/null; do
            printf '\r  %-58s %4d s' "$title ..." $((SECONDS - begin)); sleep 1
        done
        wait "$job" || status=$?
        printf '\r'
    else
        printf '  %s ...\n' "$title"
        "$@" >> "$LOG" 2>&1 || status=$?
    fi
    if [ "$status" -ne 0 ]; then
        printf '  %-58s failed after %d s\n\n' "$title" $((SECONDS - begin))
        grep -v 'is ignored: it is neither' "$LOG" | tail -n 30 >&2
        fail "'$title' failed; the whole output is in $LOG"
    fi
    printf '  %-58s %4d s\n' "$title" $((SECONDS - begin))
}

# --- system packages ---------------------------------------------------------------------------

has_package() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2> /dev/null)" = installed ]; }

missing_packages() {
    local library
    for library in libegl1 libopengl0 libgl1-mesa-dri; do  # rendering without a screen
        has_package "$library" || printf '%s ' "$library"
    done
    command -v cmake > /dev/null || printf 'cmake '
    command -v c++ > /dev/null || printf 'g++ '
    command -v make > /dev/null || printf 'make '
    if [ "$(readlink -f "$PYTHON")" = "$(readlink -f /usr/bin/python3)" ]; then
        [ -f "$("$PYTHON" -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h" ] \
            || printf 'python3-dev '
        "$PYTHON" -c 'import ensurepip' 2> /dev/null || printf 'python3-venv '
    fi
    [ "$MODE" = wheels ] || missing_ros_packages
}

# What our package.xml files name and the sourced ROS 2 lacks; rosdep would find the same.
missing_ros_packages() {
    local name prefix found
    for name in python3-numpy python3-opencv; do has_package "$name" || printf '%s ' "$name"; done
    for name in $(sed -nE 's:.*<[a-z_]*depend>([a-z0-9_]+)</.*:\1:p' src/*/package.xml | sort -u); do
        [ -d "src/$name" ] && continue
        found=''
        for prefix in ${AMENT_PREFIX_PATH//:/ }; do
            [ -e "$prefix/share/ament_index/resource_index/packages/$name" ] && found=yes
        done
        [ -n "$found" ] || printf 'ros-%s-%s ' "$MODE" "${name//_/-}"
    done
}

install_packages() {
    local sudo=()
    [ "$(id -u)" -eq 0 ] || sudo=(sudo -n)
    export DEBIAN_FRONTEND=noninteractive
    "${sudo[@]}" apt-get update -q && "${sudo[@]}" apt-get install -q -y --no-install-recommends "$@"
}

system_packages() {
    local missing
    if ! command -v dpkg-query > /dev/null; then
        say '  no apt here: cmake, a C++ compiler, libEGL, libOpenGL and Mesa are taken as installed'
        return
    fi
    read -r -a missing <<< "$(missing_packages)"
    [ "${#missing[@]}" -gt 0 ] || return 0
    if [ "$(id -u)" -ne 0 ] && ! sudo -n true 2> /dev/null; then
        fail "these system packages are missing, and installing them needs root. Please run:

    sudo apt-get install --no-install-recommends ${missing[*]}

and then start again."
    fi
    step "system packages: ${missing[*]}" install_packages "${missing[@]}"
}

# --- the virtual environment -------------------------------------------------------------------

supported() {
    "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2> /dev/null
}

choose_python() {
    local candidate
    if [ -n "${PYTHON:-}" ]; then
        supported "$PYTHON" || fail "PYTHON=$PYTHON is not a Python from 3.10 to 3.13"
        return
    fi
    if [ "$MODE" != wheels ]; then PYTHON=/usr/bin/python3; return; fi  # the one ROS is built for
    for candidate in python3 python3.11 python3.12 python3.13 python3.10; do
        if command -v "$candidate" > /dev/null && supported "$candidate"; then
            PYTHON="$(command -v "$candidate")"; return
        fi
    done
    fail 'no Python from 3.10 to 3.13 found; install one, or name it with PYTHON=/path/to/python3'
}

# What the environment was made for: another mode needs another environment.
create_environment() {
    local made_for=''
    [ -f "$VENV/.vidplan-mode" ] && made_for="$(cat "$VENV/.vidplan-mode")"
    [ -x "$PY" ] && [ "$made_for" = "$MODE" ] && return
    if [ -e "$VENV" ]; then
        [ -z "$made_for" ] || say "  the environment was made for '$made_for', now it is '$MODE'"
        rm -rf "$VENV" build install
    fi
    if [ "$MODE" = wheels ]; then
        step "virtual environment ($("$PYTHON" --version))" "$PYTHON" -m venv "$VENV"
    else
        step "virtual environment that sees ROS 2 $MODE" \
            "$PYTHON" -m venv --system-site-packages "$VENV"
    fi
    touch "$VENV/COLCON_IGNORE"
    printf '%s' "$MODE" > "$VENV/.vidplan-mode"
}

pip_install() { "$PY" -m pip install --no-input --disable-pip-version-check "$@"; }

# All but torch by the SHA-256 of its file: which build of torch there is differs by machine.
install_requirements() {
    local with=''
    [ "$MODE" = wheels ] || with=-with-ros
    local hashes="requirements/hashes$with.lock"
    step "what it needs ($(grep -c '==' "$hashes") pins with hashes)" \
        pip_install --no-deps --require-hashes -r "$hashes"
    step 'torch (the largest)' \
        pip_install -c "requirements/constraints$with.txt" -r requirements/torch.txt
    if [ "$MODE" = wheels ]; then
        step 'include folders in the CMake files of the ROS wheels' \
            "$PY" scripts/fix_cmake_paths.py
    fi
    step 'the training package' \
        pip_install --no-deps --no-build-isolation --editable training
}

# --- the colcon workspace ----------------------------------------------------------------------

build_workspace() {
    if [ "$MODE" = wheels ]; then
        export AMENT_PREFIX_PATH="$VENV" CMAKE_PREFIX_PATH="$VENV"
    fi
    PATH="$VENV/bin:$PATH" "$PY" -W ignore -m colcon build --base-paths src --symlink-install \
        --metas colcon.meta --event-handlers console_cohesion+ || return
    ln -sf ../../install/vidplan/lib/vidplan/vidplan "$VENV/bin/vidplan"
}

# --- stamps: what was installed and built ------------------------------------------------------

packages_stamp() {
    { cat requirements/*.txt requirements/hashes*.lock training/pyproject.toml scripts/fix_cmake_paths.py
      printf '%s\n' "$ROOT" "$MODE"; } | sha256sum
}

# The interfaces and descriptions by content; launch, config and models by name, because they
# are installed as links.
workspace_stamp() {
    { cat src/*/package.xml src/*/setup.py src/*/setup.cfg src/vidplan_msgs/*/*.* \
          src/vidplan_msgs/CMakeLists.txt colcon.meta
      { find launch config models -type f 2> /dev/null || true; } | LC_ALL=C sort
      packages_stamp; } | sha256sum
}

# fresh FILE STAMP: whether that was installed or built last.
fresh() { [ -f "$1" ] && [ "$(cat "$1")" = "$2" ]; }

# -----------------------------------------------------------------------------------------------

mkdir -p log
exec 9> log/.setup.lock
flock 9  # two calls at once: the second waits and then finds everything done
# Of what the steps begin with: a checkout meanwhile must not pass for installed or built.
packages="$(packages_stamp)"
workspace="$(workspace_stamp)"
if [ -x "$PY" ] && fresh "$VENV/.vidplan-packages" "$packages" \
    && fresh install/.vidplan-workspace "$workspace"; then
    exit 0
fi

say "Setting VidPlan up in $ROOT (a few minutes the first time; output in log/setup.log)"
: > "$LOG"
choose_python
system_packages
create_environment
if ! fresh "$VENV/.vidplan-packages" "$packages"; then
    install_requirements
    printf '%s\n' "$packages" > "$VENV/.vidplan-packages"
fi
if ! fresh install/.vidplan-workspace "$workspace"; then
    step 'workspace: messages and packages (colcon)' build_workspace
    step 'check: everything imports, the camera renders' \
        bash -c '. ./env.sh && python scripts/check_install.py'
    printf '%s\n' "$workspace" > install/.vidplan-workspace
fi
say "Ready after $((SECONDS - STARTED)) s.  For the commands in this shell:  source env.sh"
