# SPDX-License-Identifier: Apache-2.0
"""Images to latents and back."""
