# SPDX-License-Identifier: Apache-2.0
"""The objects of the cell, built from primitives."""
