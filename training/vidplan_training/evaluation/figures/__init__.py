# SPDX-License-Identifier: Apache-2.0
"""Tables, curves and pictures of an evaluation."""
