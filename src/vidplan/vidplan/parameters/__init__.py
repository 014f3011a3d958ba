# SPDX-License-Identifier: Apache-2.0
"""The knobs of every node, without ROS: what files may say, and the files themselves."""
