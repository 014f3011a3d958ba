# SPDX-License-Identifier: Apache-2.0
"""How soon pictures that cannot be true stop the arm, and how often true ones are doubted."""
