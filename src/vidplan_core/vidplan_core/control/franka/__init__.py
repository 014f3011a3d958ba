# SPDX-License-Identifier: Apache-2.0
"""What a Franka robot says of itself, and how it is brought back after an error."""
