# SPDX-License-Identifier: Apache-2.0
"""Closed-loop suites, replay, reports and pictures of VidPlan; no ROS graph."""
