# SPDX-License-Identifier: Apache-2.0
"""Files of recordings, whole or not: what channels they have and their messages as bytes."""
