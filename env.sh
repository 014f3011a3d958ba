# Puts the environment, the workspace and the commands `vidplan` and `vidplan-train` on the path.
#
#     source env.sh        (bash or zsh, from any folder; after `make setup`)
#
# With a ROS 2 distribution sourced before, that one stays underneath.

if [ -n "${ZSH_VERSION:-}" ]; then
    eval '_vidplan_file="${(%):-%x}"'
    _vidplan_shell=zsh
else
    _vidplan_file="${BASH_SOURCE[0]}"
    _vidplan_shell=bash
fi
_vidplan_root="$(cd "$(dirname "$_vidplan_file")" > /dev/null && pwd -P)"

# A name once in a colon-separated list, at its front.
_vidplan_prepend() {
    case ":$2:" in
        *":$1:"*) printf '%s' "$2" ;;
        *) printf '%s' "$1${2:+:$2}" ;;
    esac
}

# What the environment was made for, and what is sourced here: one must not run on the other.
_vidplan_mode="$(cat "$_vidplan_root/.venv/.vidplan-mode" 2> /dev/null || true)"

if [ -n "$_vidplan_mode" ] && [ "$_vidplan_mode" != "${ROS_DISTRO:-wheels}" ]; then
    if [ "$_vidplan_mode" = wheels ]; then _vidplan_mode='no ROS beneath'; fi
    echo "VidPlan was built with $_vidplan_mode, but this shell has ${ROS_DISTRO:-no ROS} sourced:" \
        "open another shell, or run 'make setup' again" >&2
    _vidplan_status=1
elif [ -f "$_vidplan_root/install/local_setup.$_vidplan_shell" ]; then
    export VIDPLAN_ROOT="$_vidplan_root"
    export VIRTUAL_ENV="$_vidplan_root/.venv"
    if [ -z "${ROS_DISTRO:-}" ]; then  # the ROS wheels live in the environment itself
        AMENT_PREFIX_PATH="$(_vidplan_prepend "$VIRTUAL_ENV" "${AMENT_PREFIX_PATH:-}")"
        export AMENT_PREFIX_PATH
    fi
    case "$-" in *u*) _vidplan_unset=-u ;; *) _vidplan_unset=+u ;; esac
    set +u  # colcon's file reads variables that are not set
    . "$_vidplan_root/install/local_setup.$_vidplan_shell"
    LD_LIBRARY_PATH="${LD_LIBRARY_PATH%:}"  # an empty entry would mean the current folder
    set "$_vidplan_unset"
    unset _vidplan_unset
    PATH="$(_vidplan_prepend "$VIRTUAL_ENV/bin" "$PATH")"
    export PATH
    # Rendering without a screen; keep a choice that was made before.
    export MUJOCO_GL="${MUJOCO_GL:-egl}"
    _vidplan_status=0
else
    echo "VidPlan is not built yet: run 'make setup' in $_vidplan_root first" >&2
    _vidplan_status=1
fi

unset -f _vidplan_prepend
unset _vidplan_file _vidplan_root _vidplan_shell _vidplan_mode
# The status of this file, without a variable left behind.
if [ "$_vidplan_status" -eq 0 ]; then unset _vidplan_status; else unset _vidplan_status; false; fi
