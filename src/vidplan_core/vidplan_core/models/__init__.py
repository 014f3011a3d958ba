# SPDX-License-Identifier: Apache-2.0
"""Weights and configuration on disk, and the precision they compute in."""
