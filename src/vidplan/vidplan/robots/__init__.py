# SPDX-License-Identifier: Apache-2.0
"""The arm and its gripper: joint states, observations, the adapter that alone commands them."""
