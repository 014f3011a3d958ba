# SPDX-License-Identifier: Apache-2.0
"""Grasp head: where and how demonstrations close the fingers on what an instruction names."""
