# SPDX-License-Identifier: Apache-2.0
"""The library that thinks: torch, no ROS import anywhere."""
