# SPDX-License-Identifier: Apache-2.0
"""Cameras and what they see."""
