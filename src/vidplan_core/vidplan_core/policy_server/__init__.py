# SPDX-License-Identifier: Apache-2.0
"""Policies behind a websocket: the protocol of openpi and RoboArena, as client and as server."""
