# SPDX-License-Identifier: Apache-2.0
"""Typed settings of every command: declared once, read from presets and the command line."""
