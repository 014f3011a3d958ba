# SPDX-License-Identifier: Apache-2.0
"""Training, one recipe a folder."""
