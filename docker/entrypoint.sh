#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs a command with ROS 2, Franka's messages and VidPlan on the path.
source /opt/ros/jazzy/setup.bash
source /opt/franka/install/setup.bash
source /vidplan/env.sh
exec "$@"
