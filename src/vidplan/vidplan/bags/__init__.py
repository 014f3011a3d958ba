# SPDX-License-Identifier: Apache-2.0
"""Nodes that record and play bags."""
