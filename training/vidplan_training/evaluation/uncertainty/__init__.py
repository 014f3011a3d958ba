# SPDX-License-Identifier: Apache-2.0
"""How well the uncertainty head knows the errors of imaginations."""
