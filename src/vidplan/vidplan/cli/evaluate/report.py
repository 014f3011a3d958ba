# SPDX-License-Identifier: Apache-2.0
"""`vidplan evaluate report DIR`."""

from __future__ import annotations

import argparse


def run(args: argparse.Namespace) -> int:
    """Write the report and say where it is."""
    from vidplan_eval.report.report import write_report

    for path in write_report(args.folder, args.out):
        print(path)
    return 0
