# SPDX-License-Identifier: Apache-2.0
"""What suites share whose episodes a witness of the truth judges."""
