# SPDX-License-Identifier: Apache-2.0
"""Success detector: whether what the cameras show now is what the instruction asks for."""
