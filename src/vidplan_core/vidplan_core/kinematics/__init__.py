# SPDX-License-Identifier: Apache-2.0
"""The arm's geometry: forward kinematics, limits, inverse kinematics, joint trajectories."""
