# SPDX-License-Identifier: Apache-2.0
"""Writes the pages of docs/ that follow from code and results: errors, parameters, faults, tables.

python scripts/write_docs.py            write them
python scripts/write_docs.py --check    say whether they are as they would be written
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ACTION = ROOT / 'src/vidplan_msgs/action/PlanTask.action'
DOCS = ROOT / 'docs'

# What to do, by the name of an error. What happened is said by the error itself.
REMEDIES = {
    'INVALID_INSTRUCTION': 'See how the words are read: `vidplan parse "..."`. One object, one of '
    'move to, pick up, put ... in ...: [instructions](instructions.md).',
    'INVALID_TIME_LIMIT': 'Give a finite number of seconds from 0 up; 0 is the default.',
    'TARGET_NOT_FOUND': 'The message lists what is in view, or says why words such as `the left '
    'mug` do not tell which one. Name one of them, or look at what the scorer sees: '
    '`vidplan score picture.png --phrase mug`.',
    'TIME_LIMIT': 'Look at the report for late plans and slow motions; give more time.',
    'CANCELED': 'Nothing: the arm is at rest.',
    'PREEMPTED': 'Nothing: a newer goal took over.',
    'TASK_INCOMPLETE': 'Look at the candidates in the report: none was better than to stay.',
    'SHUTDOWN': 'Start the planning server again, or activate it.',
    'NO_OBSERVATION': 'Look at `/diagnostics` of the stitcher: which camera or joint state is '
    'missing? Topics are launch arguments (`--show-args`).',
    'STALE_OBSERVATION': 'A sensor stopped, or clocks differ between machines: `vidplan doctor`.',
    'INVALID_OBSERVATION': 'The message names the sensor and the number. Look at cables, '
    'encodings, units (rad, m) and lens caps. A new place of a camera wants '
    '`ros2 service call /stitcher/accept_views std_srvs/srv/Trigger`.',
    'UNEXPECTED_OUTCOME': 'The message names the view. Look at the cell and that camera, then '
    'give the goal again. Where lights change or people reach in on purpose, raise '
    '`max_surprise`, or set `stop_on_surprise: false`.',
    'MODEL_ERROR': 'Another models folder, or more memory; `vidplan models import DIR` reads one.',
    'INVALID_MODEL': 'The message names the file. A pointer of git-lfs wants `git lfs pull`.',
    'PLAN_TOO_LATE': 'Fewer candidates or refinements, fewer other processes, a GPU: `vidplan '
    'bench` says what a plan takes here.',
    'NO_ADAPTER': 'Start the adapter, in the same ROS domain and namespace.',
    'ADAPTER_FAULT': 'Look at the arm. Then `ros2 service call /adapter/rearm '
    'std_srvs/srv/Trigger`.',
    'PLAN_REJECTED': 'The quoted reason names the limit, box or link. Look at the limits in the '
    "adapter's block of the parameter file.",
    'INTERNAL': 'A fault of the program: report it with the log.',
    'INVALID_BAG': '`vidplan bag info BAG` says what is in it; `--map` says which topic is what.',
    'INVALID_CONFIG': '`vidplan config --check FILE` names the line and the nearest known word.',
    'INVALID_EPISODE': '`vidplan data check DATA --out check.html` shows the worst ones.',
    'CALIBRATION_FAILED': 'More poses, tilted further, and the measured side of the tag; '
    'of TF, the frame that is named: [cameras.md](cameras.md#calibrating-your-own).',
    'NO_PROGRESS': 'As for TASK_INCOMPLETE.',
    'IK_FAILED': 'Plan shorter steps, or nearer to the middle of the workspace.',
    'COMMAND_REJECTED': 'As for PLAN_REJECTED.',
    'NO_ROS': '`source env.sh` in a shell without another ROS; `vidplan doctor` says more.',
    'NOT_INSTALLED': 'Run `make setup`.',
    'NO_PERMISSION': 'Name a place that you may write to (`--out`, `--json`).',
    'NOT_FOUND': 'Look at the path.',
    'WRONG_PATH': 'A folder stands for a file, or the other way round.',
    'DISK_FULL': 'Make room: a recording ends in order before the disk is full.',
    'OUT_OF_MEMORY': 'Ask for less at a time, or use another machine.',
    'NO_LOG_FOLDER': 'Set HOME or ROS_LOG_DIR to a folder that can be written.',
    'ROS_ERROR': '`vidplan doctor` looks at the domain and the middleware.',
    'RUN_FAILED': 'The message quotes the last lines of the process; its log is in the run.',
    'PAGE_FAILED': 'The message says which part of the graph does not answer: is `vidplan up` '
    'running, in the same domain and namespace?',
    'PORT_IN_USE': 'Another page or server has the port: choose one by `--port`.',
    'POLICY_SERVER_FAILED': 'Is the server up? [Policy server](policy_server.md) says how to ask.',
    'VIDEO_FAILED': 'The message names the file: is there room, and an encoder (PyAV)?',
    'WORKER_DIED': 'A process of an evaluation ended, often for memory: fewer `--workers`.',
    'TRIAL_FAILED': 'Look at `--verbose`; a busy machine may be too slow to start the processes.',
    'GOAL_FAILED': 'Is `vidplan up` running, in the same domain and namespace?',
    'MACHINE_ERROR': 'The message is that of the operating system.',
    'INTERNAL_ERROR': 'Say `--debug` for the place, and report it.',
}


def codes() -> dict[str, tuple[int, str]]:
    """Return number and meaning of every error code of a goal, by name."""
    lines = re.findall(r'^uint16 (\w+)=(\d+)\s*#\s*(.+)$', ACTION.read_text(), re.MULTILINE)
    return {name: (int(number), words.strip()) for name, number, words in lines if name != 'NONE'}


def troubleshooting() -> str:
    """Return the page of errors.

    Raises:
        KeyError: a goal can end in an error of which nobody says what to do.
    """
    known = codes()
    rows = [
        f'| `{name}` | {number} | {words} | {REMEDIES[name]} |'
        for name, (number, words) in known.items()
    ]
    others = [
        f'| `{name}` | {words} |' for name, words in REMEDIES.items() if name not in known
    ]
    return '\n'.join(
        [
            '# Troubleshooting by error',
            '',
            'Written by `scripts/write_docs.py`. Begin with `vidplan doctor`: it looks at ROS, '
            'disk, models and clock.',
            '',
            '## A goal ended with',
            '',
            '| error | code | what it means | what to do |',
            '| --- | --- | --- | --- |',
            *rows,
            '',
            '## A command ended with',
            '',
            'Exit status 0 is success, 1 a task or program that failed, 2 what was asked and '
            'cannot be done.',
            '',
            '| error | what to do |',
            '| --- | --- |',
            *others,
            '',
        ]
    )


def configuration() -> str:
    """Return the page of parameters: what `vidplan config` prints."""
    from vidplan.parameters.commented import FILES, file_text

    blocks = [f'## {name}\n\n```yaml\n{file_text(name)}```\n' for name in FILES]
    head = (
        '# Configuration\n\nWritten by `scripts/write_docs.py` from the knobs in the code, as '
        '`vidplan config` prints\nthem: every value is the default. `vidplan config --check '
        'FILE` looks at a file of your own.\n'
    )
    return '\n'.join([head, *blocks])


def safety() -> str:
    """Return the page of faults, from the tests that show them."""
    sys.path.insert(0, str(ROOT))
    from tests.faults.table import page

    return page(ROOT / 'tests')


def measured() -> str:
    """Return the page of results: the report on docs/results, without pictures and settings."""
    from vidplan_eval.report.document import Figure, ReportSection, to_markdown
    from vidplan_eval.report.report import report_sections

    head = (
        'Written by `scripts/write_docs.py` from the result files in `docs/results`, as `vidplan '
        'evaluate report docs/results` does. They were made by `vidplan evaluate --suite '
        'pick_place --task TASK --base BASE --method METHOD --distractors 4 --models '
        'models/cell_contact --episodes N --seed SEED`, the towel by `--suite fold`; base, '
        'method, task and first seed are in the name of each file. What is asked, and how '
        'intervals are made: [evaluation](evaluation.md). Reaching, speed and the models '
        "themselves: the repository's README and the models' cards."
    )
    shown = [ReportSection('', [head])]
    for section in report_sections(DOCS / 'results'):
        parts = [part for part in section.parts if not isinstance(part, Figure)]
        if parts and section.title != 'Settings':
            shown.append(ReportSection(section.title, parts))
    return to_markdown('Measured', shown).replace('## \n\n', '', 1)


def pages() -> dict[Path, str]:
    """Return every written page."""
    return {
        DOCS / 'troubleshooting.md': troubleshooting(),
        DOCS / 'configuration.md': configuration(),
        DOCS / 'safety.md': safety(),
        DOCS / 'measured.md': measured(),
    }


def main() -> int:
    """Write or check."""
    check = '--check' in sys.argv[1:]
    old = [p for p, text in pages().items() if not p.exists() or p.read_text() != text]
    for path in old:
        if check:
            print(f'{path.relative_to(ROOT)} is not as the code says: run scripts/write_docs.py')
        else:
            path.write_text(pages()[path], encoding='utf-8')
            print(f'wrote {path.relative_to(ROOT)}')
    return int(check and bool(old))


if __name__ == '__main__':
    sys.exit(main())
