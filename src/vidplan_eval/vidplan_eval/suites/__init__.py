# SPDX-License-Identifier: Apache-2.0
"""Closed-loop suites, one a file."""
