# SPDX-License-Identifier: Apache-2.0
"""The simulated FR3: kinematics, its MuJoCo model and its trajectory controller."""
