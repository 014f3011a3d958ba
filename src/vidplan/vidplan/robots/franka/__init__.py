# SPDX-License-Identifier: Apache-2.0
"""A Franka robot: what it says of itself, its recovery, and the way to it without ros2_control."""
