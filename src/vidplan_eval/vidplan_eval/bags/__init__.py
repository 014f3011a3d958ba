# SPDX-License-Identifier: Apache-2.0
"""Bags without a ROS graph: types, reading and writing."""
