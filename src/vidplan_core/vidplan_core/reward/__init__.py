# SPDX-License-Identifier: Apache-2.0
"""What is good: instructions, dense image-text relevancy, and where the named thing is."""
