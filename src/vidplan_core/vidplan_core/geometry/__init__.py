# SPDX-License-Identifier: Apache-2.0
"""Poses, cameras, the arm as a chain, paths and the workspace."""
