#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs a command with ROS 2 and franka_ros2 on the path.
source /opt/ros/jazzy/setup.bash
source /ros2_ws/install/setup.bash
exec "$@"
