# SPDX-License-Identifier: Apache-2.0
"""Motions of the hand: chunks between poses, what refinement moves in, what is committed."""
