# SPDX-License-Identifier: Apache-2.0
"""The suite `push`: push the named thing along the table, in the named direction."""
