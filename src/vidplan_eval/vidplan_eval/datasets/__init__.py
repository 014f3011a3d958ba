# SPDX-License-Identifier: Apache-2.0
"""Recorded episodes in the layouts of public data sets: read, checked, written, turned to bags."""
