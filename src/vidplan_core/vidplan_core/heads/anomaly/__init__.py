# SPDX-License-Identifier: Apache-2.0
"""What the models have never seen, and what they imagine that cannot follow from what was seen."""
