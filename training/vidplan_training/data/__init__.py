# SPDX-License-Identifier: Apache-2.0
"""Episodes on disk and the clips that training draws from them."""
