# SPDX-License-Identifier: Apache-2.0
"""Closed-loop evaluation of the planner against the simulated cell, without ROS."""
