# SPDX-License-Identifier: Apache-2.0
"""Networks that judge imagined frames: uncertainty, value, anomaly."""
