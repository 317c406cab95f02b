# SPDX-License-Identifier: Apache-2.0
"""What the scripts of this folder share: a build folder's programs, and their output."""

import os
import pathlib
import re
import subprocess
import sys
import time

SOURCE = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(SOURCE / 'tests/e2e'))


def use_build(folder):
    """Let tests/e2e/harness.py find the programs of a build folder."""
    build = pathlib.Path(folder).resolve()
    places = {'OUTBOARD': build / 'cli/outboard', 'OUTBOARDD': build / 'host-server/outboardd',
              'OUTBOARD_WORKER': build / 'host-server/outboard-worker',
              'OUTBOARD_LIBDIR': build / 'lib/outboard'}
    for name, path in places.items():
        if not path.exists():
            sys.exit(f'{path} is missing: build first (meson compile -C {folder})')
        os.environ[name] = str(path)
    return build


def metrics(text):
    """The "name value unit" lines of a program, as name -> (value, unit)."""
    found = {}
    for line in text.splitlines():
        match = re.fullmatch(r'(\w+) (-?\d+\.?\d*) (\S+)', line)
        if match:
            found[match[1]] = float(match[2]), match[3]
    return found


def run(command, timeout=600, env=None):
    """Run a program and return its metrics; None, with a word why, if it failed."""
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=timeout,
                                stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})})
    except subprocess.TimeoutExpired:
        print(f'  failed: no end within {timeout} s', file=sys.stderr)
        return None
    lines = result.stdout.strip().splitlines()
    if result.returncode != 0:
        last = (lines or result.stderr.strip().splitlines() or ['no output'])[-1]
        print(f'  failed: exit {result.returncode}: {last}', file=sys.stderr)
        return None
    return metrics(result.stdout)


def timed_run(command, settings, timeout=600, env=None):
    """The microbenchmark, told when it was started."""
    return run([*command, f'started={time.monotonic_ns()}', *settings], timeout, env)


# ---- what OUTBOARD_STATS=1 prints ----

def statistics(text):
    """The totals and the calls of a report (of the first one, if there are several)."""
    start = text.find('outboard: what ')
    if start < 0:
        return None
    text = text[start:].split('\noutboard: what ')[0]

    def first(title):
        match = re.search(rf'^  {title} +(.*)$', text, re.M)
        return [float(n) for n in re.findall(r'\d+\.?\d*', match[1])] if match else []

    calls = {}
    for line in text.splitlines():
        match = re.fullmatch(r'  (\w+) +(sync|one-way) +(\d+) +(\d+) +([\d.]+) .*', line)
        if match:
            calls[match[1]] = {'kind': match[2], 'count': int(match[3]),
                               'payload': int(match[4]), 'ms': float(match[5])}
    sync, one_way = first('calls')[:2]
    wire = first('wire') or [0, 0, 0]
    trips = first('round trips')
    return {'seconds': first('time')[0], 'round_trips': int(trips[0]), 'waiting': trips[2],
            'sync': int(sync), 'one_way': int(one_way), 'flushes': int(wire[0]),
            'bytes_out': int(wire[1]), 'bytes_in': int(wire[2]), 'calls': calls}


# ---- tables ----

def print_table(rows, markdown=False, left=(0,)):
    """Rows of texts, the first one a head; the columns in `left` are words, not numbers."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    bar, edge = (' | ', '| ') if markdown else ('  ', '')
    for at, row in enumerate(rows):
        cells = [cell.ljust(w) if i in left else cell.rjust(w)
                 for i, (cell, w) in enumerate(zip(row, widths))]
        print((edge + bar.join(cells) + (' |' if markdown else '')).rstrip())
        if at == 0 and markdown:
            print('|' + '|'.join('--' if i in left else '--:' for i in range(len(row))) + '|')
