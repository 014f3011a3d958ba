# SPDX-License-Identifier: Apache-2.0
"""Image quality, calibration, ranking and intervals."""
