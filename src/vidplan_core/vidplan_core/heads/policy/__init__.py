# SPDX-License-Identifier: Apache-2.0
"""An imitation policy: chunks that an expert might have chosen, drawn from what is seen."""
