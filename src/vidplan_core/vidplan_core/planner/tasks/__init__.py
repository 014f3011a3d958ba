# SPDX-License-Identifier: Apache-2.0
"""Kinds of tasks, one a file."""
