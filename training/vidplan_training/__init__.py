# SPDX-License-Identifier: Apache-2.0
"""Data collection, training and offline evaluation, beside ROS."""
