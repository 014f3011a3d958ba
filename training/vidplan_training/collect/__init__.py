# SPDX-License-Identifier: Apache-2.0
"""Recording of the simulated cell."""
