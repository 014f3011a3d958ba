# SPDX-License-Identifier: Apache-2.0
"""Real processes around a simulated arm, to which things happen again and again."""
