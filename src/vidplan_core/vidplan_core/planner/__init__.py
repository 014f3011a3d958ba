# SPDX-License-Identifier: Apache-2.0
"""Planner: propose, imagine, score, choose, refine; the plan loop as one readable algorithm."""
