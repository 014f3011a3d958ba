# SPDX-License-Identifier: Apache-2.0
"""Ctrl-World as it was released: import and presets."""
