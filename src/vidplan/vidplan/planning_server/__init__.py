# SPDX-License-Identifier: Apache-2.0
"""One process with three nodes: world model, reward, planner."""
