# SPDX-License-Identifier: Apache-2.0
"""Judging imagination and plans against what a bag shows really happened, without ROS."""
