# SPDX-License-Identifier: Apache-2.0
# The control machine: franka_ros2 3.4 with its libfranka, built from their sources. Build from the
# top of the repository:
#
#   docker build -f docker/control.Dockerfile -t vidplan_control .
#
# The steps are those of franka_ros2's own Dockerfile and entrypoint, for the packages that an FR3
# with a Franka Hand needs. The image is the planning machine's, see there.
FROM ros:jazzy-ros-base@sha256:c3706ef0a0aa45413c07803cf433602f543b22e45b4855f6fca955c2d8ecc4e8

ENV DEBIAN_FRONTEND=noninteractive \
    LANG=C.UTF-8 \
    LC_ALL=C.UTF-8

SHELL ["/bin/bash", "-o", "pipefail", "-c"]
WORKDIR /ros2_ws

# Another commit under the same name is refused.
ARG FRANKA_ROS2=v3.4.0
ARG FRANKA_ROS2_COMMIT=29cb85a
RUN git clone --depth 1 --branch "$FRANKA_ROS2" \
        https://github.com/frankarobotics/franka_ros2.git src/franka_ros2 \
    && [[ "$(git -C src/franka_ros2 rev-parse HEAD)" == "$FRANKA_ROS2_COMMIT"* ]] \
    && vcs import --recursive src < src/franka_ros2/dependency.repos \
    && git -C src/ros2_control apply /ros2_ws/src/franka_ros2/patches/manage_overruns.patch

# The controller that VidPlan sends trajectories to comes from Ubuntu's packages of ROS.
RUN apt-get update \
    && rosdep update --rosdistro jazzy \
    && rosdep install --rosdistro jazzy -y --ignore-src --skip-keys=zed_wrapper \
        --from-paths $(colcon list --paths-only --packages-up-to franka_bringup franka_gripper) \
    && apt-get install -y --no-install-recommends \
        ros-jazzy-joint-trajectory-controller ros-jazzy-rmw-fastrtps-cpp ros-jazzy-ros2controlcli \
    && rm -rf /var/lib/apt/lists/*
RUN source /opt/ros/jazzy/setup.bash \
    && colcon build --packages-up-to franka_bringup franka_gripper \
        --cmake-args -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTS=OFF

COPY config/franka_controllers.yaml /config/franka_controllers.yaml
COPY docker/control_entrypoint.sh /entrypoint.sh

# Real-time priorities and locked memory come from the limits in compose.yml, not from being root.
ARG UID=1000
ARG GID=1000
RUN (userdel -r ubuntu || true) \
    && groupadd --force --gid "$GID" franka \
    && useradd --create-home --uid "$UID" --gid "$GID" --groups dialout franka
ENV HOME=/home/franka
USER franka

STOPSIGNAL SIGINT
HEALTHCHECK --interval=30s --timeout=20s --start-period=60s \
    CMD ["/entrypoint.sh", "bash", "-c", "ros2 control list_controllers | grep -q 'fr3_arm_controller.* active'"]
ENTRYPOINT ["/entrypoint.sh"]
CMD ["ros2", "launch", "franka_bringup", "franka.launch.py", "--show-args"]
