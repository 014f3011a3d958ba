# SPDX-License-Identifier: Apache-2.0
"""What a cycle of planning gives back."""
