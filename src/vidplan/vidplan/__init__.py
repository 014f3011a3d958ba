# SPDX-License-Identifier: Apache-2.0
"""The nodes that talk: thin ROS nodes, the graph table, the command line."""
