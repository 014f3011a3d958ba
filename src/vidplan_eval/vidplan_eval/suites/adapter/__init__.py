# SPDX-License-Identifier: Apache-2.0
"""What the action adapter lets pass, against code that shares nothing with it."""
