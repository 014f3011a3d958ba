# SPDX-License-Identifier: Apache-2.0
"""What the world model does not know: error distributions, their entropy, how true they are."""
