#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Where the time of launches and of large copies goes, in the guest and in the worker.

Where perf is: the functions that both spend their time in.  Everywhere: what each of their
threads used of a processor, in user and in system mode, and how often it slept (switches
that it wanted) and was sent away (those that it did not), and what OUTBOARD_STATS=1 says.
"""

import argparse
import collections
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import measure
from run import has_nvidia

QUIET = 'launches=0', 'rounds=0', 'mallocs=0', 'copy_max=0'
SIZE = 256 << 20
LOADS = {
    'launches': ['launches={launches}', 'bursts=1'],
    'launch and wait': ['rounds={rounds}'],
    'copies, pageable': [f'copy_min={SIZE}', f'copy_max={SIZE}', 'seconds={seconds}', 'pinned=0'],
    'copies, pinned': [f'copy_min={SIZE}', f'copy_max={SIZE}', 'seconds={seconds}', 'pageable=0'],
}
LOOK_EVERY_S = 0.02


def children(pid):
    out = subprocess.run(['ps', '-o', 'pid=', '--ppid', str(pid)], capture_output=True, text=True)
    return [int(word) for word in out.stdout.split()]


# ---- what the kernel counts for every thread ----

class Threads:
    """The last that was seen of a process's threads."""

    def __init__(self, pid):
        self.pid = pid
        self.seen = {}      # thread: [name, user s, system s, slept, sent away]
        self.first = {}

    def look(self):
        tick = os.sysconf('SC_CLK_TCK')
        for task in pathlib.Path(f'/proc/{self.pid}/task').glob('*'):
            try:
                name, rest = (task / 'stat').read_text().split('(', 1)[1].rsplit(')', 1)
                status = (task / 'status').read_text()
            except (OSError, IndexError):
                continue    # gone meanwhile
            fields = rest.split()
            switches = re.findall(r'^(?:non)?voluntary_ctxt_switches:\s*(\d+)', status, re.M)
            slept, sent_away = map(int, switches or (0, 0))
            name += ' (main)' if task.name == str(self.pid) else ''
            self.seen[task.name] = [name, int(fields[11]) / tick, int(fields[12]) / tick, slept,
                                    sent_away]
            self.first.setdefault(task.name, self.seen[task.name])

    def rows(self):
        for thread, (name, *now) in self.seen.items():
            before = self.first[thread][1:]
            user, system, slept, sent_away = (a - b for a, b in zip(now, before))
            if user + system > 0 or slept > 10:
                yield name, f'{user:.2f}', f'{system:.2f}', str(slept), str(sent_away)

    def used(self):
        return sum(now[1] + now[2] - self.first[thread][1] - self.first[thread][2]
                   for thread, now in self.seen.items())


# ---- perf ----

def perf_start(pids, path):
    """cpu-clock works in every VM."""
    return subprocess.Popen(['perf', 'record', '-q', '-e', 'cpu-clock', '-F', '4999', '-o', path,
                             '-p', ','.join(map(str, pids))],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def perf_top(recorder, path, most):
    """The functions that took the most, as (share, where, function)."""
    if recorder.poll() is None:
        recorder.send_signal(signal.SIGINT)
    recorder.wait()
    out = subprocess.run(['perf', 'report', '-i', path, '--stdio', '--no-children', '-g', 'none',
                          '--sort', 'dso,symbol', '-t', '\t'], capture_output=True, text=True)
    shares = collections.Counter()
    for line in out.stdout.splitlines():
        cells = [cell.strip() for cell in line.split('\t')[:3]]
        if len(cells) == 3 and not line.startswith('#'):
            share, where, function = cells
            # A library without names is one function.
            shares[where, re.sub(r'0x[0-9a-f]+$', '...', function)] += float(share.rstrip('%'))
    return [(f'{share:.2f}%', *key) for key, share in shares.most_common(most)]


# ---- a load ----

def run_load(daemon, build, url, settings, options, says_why=False):
    """The guest's result, the threads of both ends, and what perf saw; or what the guest says
    of its calls, which takes time that is not to be seen among the rest."""
    has_perf = shutil.which('perf') is not None and not options.no_perf and not says_why
    before = children(daemon.process.pid)
    guest = subprocess.Popen(
        daemon.command(build / 'bench/microbench_shared', *QUIET, *settings, server=url),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, 'OUTBOARD_STATS': '1' if says_why else '0'})
    ends = {'guest': [Threads(guest.pid)], 'worker': [Threads(pid) for pid in before]}
    with tempfile.TemporaryDirectory() as folder:
        recorders = {end: perf_start([t.pid for t in threads], f'{folder}/{end}')
                     for end, threads in ends.items() if threads} if has_perf else {}
        while guest.poll() is None:
            for threads in ends.values():
                for process in threads:
                    process.look()
            time.sleep(LOOK_EVERY_S)
        output, said = guest.communicate()
        top = {end: perf_top(recorder, f'{folder}/{end}', options.most)
               for end, recorder in recorders.items()}
    if guest.returncode != 0:
        sys.exit(f'the guest failed: {output}{said}')
    # Of the workers one served.
    found = {end: max(threads, key=Threads.used) for end, threads in ends.items() if threads}
    return measure.statistics(said) if says_why else (measure.metrics(output), found, top)


def report(name, url, statistics, metrics, threads, top):
    print(f'\n==== {name}, over {url.split(":")[0]}')
    print(', '.join(f'{metric} {value:g} {unit}' for metric, (value, unit) in metrics.items()
                    if not metric.startswith('main_')))
    calls = sorted(statistics['calls'].items(), key=lambda item: -item[1]['ms'])[:4]
    print(f'{statistics["seconds"]:.2f} s, {statistics["waiting"]:.2f} of them waiting; '
          f'{statistics["flushes"]} flushes; ' +
          ', '.join(f'{call} {of["count"]} times {of["ms"]:.1f} ms' for call, of in calls))
    for end, process in threads.items():
        print()
        measure.print_table([(f'{end}: thread', 'user s', 'system s', 'slept', 'sent away'),
                             *process.rows()])
        if top.get(end):
            print()
            measure.print_table([('share', 'in', 'function'), *top[end]], left=(1, 2))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('build', help='build folder')
    parser.add_argument('--launches', type=int, default=400000)
    parser.add_argument('--rounds', type=int, default=50000, help='launches that are waited for')
    parser.add_argument('--seconds', type=float, default=3, help='for each way of copies')
    parser.add_argument('--most', type=int, default=12, help='functions shown')
    parser.add_argument('--no-perf', action='store_true')
    parser.add_argument('--over', choices=['tcp', 'unix', 'both'], default='both')
    options = parser.parse_args()
    build = measure.use_build(options.build)
    os.environ.setdefault('OUTBOARD_DRIVER', 'auto' if has_nvidia() else 'soft')
    from harness import Daemon

    with Daemon() as daemon:
        urls = {'tcp': [daemon.tcp], 'unix': [daemon.unix]}.get(
            options.over, [daemon.tcp, daemon.unix])
        for name, settings in LOADS.items():
            settings = [text.format(**vars(options)) for text in settings]
            for url in urls:
                load = daemon, build, url, settings, options
                report(name, url, run_load(*load, says_why=True), *run_load(*load))


if __name__ == '__main__':
    main()
