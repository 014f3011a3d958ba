# SPDX-License-Identifier: Apache-2.0
"""Episodes and branches in which the gripper touches things, with what became of it."""
