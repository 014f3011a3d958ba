# SPDX-License-Identifier: Apache-2.0
"""Where cameras are: lenses, printed tags, and what a moving arm says about both."""
