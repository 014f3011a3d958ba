# SPDX-License-Identifier: Apache-2.0
"""Where cameras are: lenses, printed tags, what a moving arm says about both, and TF."""
