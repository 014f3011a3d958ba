# SPDX-License-Identifier: Apache-2.0
"""Folding a cloth in half: what is seen of it, the ways to fold it, and what each one costs."""
