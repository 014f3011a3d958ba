# SPDX-License-Identifier: Apache-2.0
"""How well the value head ranks motions, and the bound on its errors."""
