# SPDX-License-Identifier: Apache-2.0
"""Candidate motions for the planner to imagine."""
