# SPDX-License-Identifier: Apache-2.0
"""Flow time, noise levels and the samplers that follow them."""
