# SPDX-License-Identifier: Apache-2.0
"""The operator's page: a small web server, and what connects it to a running graph."""
