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

if [ -f "$_vidplan_root/install/local_setup.$_vidplan_shell" ]; then
    export VIDPLAN_ROOT="$_vidplan_root"
    export VIRTUAL_ENV="$_vidplan_root/.venv"
    if [ -z "${ROS_DISTRO:-}" ]; then  # the ROS wheels live in the environment itself
        AMENT_PREFIX_PATH="$(_vidplan_prepend "$VIRTUAL_ENV" "${AMENT_PREFIX_PATH:-}")"
        export AMENT_PREFIX_PATH
    fi
    . "$_vidplan_root/install/local_setup.$_vidplan_shell"
    LD_LIBRARY_PATH="${LD_LIBRARY_PATH%:}"  # an empty entry would mean the current folder
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
unset _vidplan_file _vidplan_root _vidplan_shell
# The status of this file, without a variable left behind.
if [ "$_vidplan_status" -eq 0 ]; then unset _vidplan_status; else unset _vidplan_status; false; fi
