#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""outboard bench: numbers, a verdict, JSON; and an error where there is no server."""

import json
import os
import subprocess
import tempfile

from harness import Daemon, expect, free_port


def bench(server, *options):
    return subprocess.run([os.environ['OUTBOARD'], 'bench', '--quick', '--server', server,
                           *options], capture_output=True, text=True, timeout=100)


def main():
    with Daemon() as daemon, tempfile.NamedTemporaryFile('r', encoding='utf-8') as file:
        result = bench(daemon.unix, '--json', file.name)
        expect(result.returncode == 0 and result.stderr == '', 'bench', result)
        expect(daemon.unix in result.stdout and 'What limits' in result.stdout,
               'it names the server and has a verdict', result)
        report = json.load(file)
        expect(report['server'] == daemon.unix, 'the report is of this server', result)
        values = {name: metric['value'] for name, metric in report['results'].items()}
        wanted = ['connect', 'first_kernel', 'round_trip', 'round_trip_p95', 'launch_call',
                  'launch_rate', 'malloc_and_free',
                  *(f'{way}_{kind}_{size}' for way in ('h2d', 'd2h')
                    for kind in ('pageable', 'pinned') for size in (4096, 16 << 20))]
        missing = [name for name in wanted if not values.get(name, 0) > 0]
        expect(not missing, f'{missing} are not there', result)
        expect(values['round_trip'] <= values['round_trip_p95'], 'p95 is above p50', result)
    result = bench(f'tcp://127.0.0.1:{free_port()}')
    expect(result.returncode == 1 and 'cannot reach' in result.stderr and
           'What limits' not in result.stdout, 'no server is an error', result)


if __name__ == '__main__':
    main()
