# SPDX-License-Identifier: Apache-2.0
"""Candidate motions for the planner to imagine."""

from vidplan_core.proposal.hermite import hermite_chunk
from vidplan_core.proposal.spatial import SpatialBasis

__all__ = ['SpatialBasis', 'hermite_chunk']
