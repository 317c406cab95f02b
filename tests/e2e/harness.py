# SPDX-License-Identifier: Apache-2.0
"""What every end-to-end test needs: a daemon of its own, and programs run through it.

The environment says where things are: OUTBOARD (the command), OUTBOARDD, OUTBOARD_WORKER,
OUTBOARD_LIBDIR (guest/ and soft/ below it).  OUTBOARD_DRIVER may name another driver than
the software device.
"""

import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

SKIP = 77


def skip(why):
    print(f'SKIP: {why}')
    sys.exit(SKIP)


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


class Daemon:
    """outboardd on a unix socket and a TCP port, gone when the with block ends."""

    host = '127.0.0.1'
    prefix = ()         # what to put before its command

    def __init__(self, *options):
        self.options = options

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix='outboard-test-')
        self.port = free_port()
        self.tcp = f'tcp://{self.host}:{self.port}'
        self.unix = f'unix://{self.folder.name}/socket'
        self.cache = f'{self.folder.name}/cache'
        self.log_path = pathlib.Path(self.folder.name) / 'log'
        with open(self.log_path, 'w', encoding='utf-8') as log:
            self.process = subprocess.Popen(
                [*self.prefix, os.environ['OUTBOARDD'], '--listen', self.tcp,
                 '--listen', self.unix, '--driver', os.environ.get('OUTBOARD_DRIVER', 'soft'),
                 '--worker', os.environ['OUTBOARD_WORKER'], '--log', 'info',
                 '--cache', self.cache, *self.options],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def wait_ready(self):
        for _ in range(600):
            if self.process.poll() is not None:
                raise RuntimeError(f'outboardd ended: {self.log()}')
            if self.status(check=False).returncode == 0:
                return
            time.sleep(0.05)
        raise RuntimeError(f'outboardd does not answer: {self.log()}')

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise RuntimeError(f'outboardd did not end at SIGTERM: {self.log()}')
        self.folder.cleanup()

    def log(self):
        return self.log_path.read_text(errors='replace')

    def status(self, check=True):
        return subprocess.run([os.environ['OUTBOARD'], 'status', '--server', self.unix],
                              capture_output=True, text=True, timeout=30, check=check)

    def status_value(self, pattern):
        return int(re.search(pattern, self.status().stdout)[1])

    def command(self, *command, server=None):
        return [os.environ['OUTBOARD'], 'run', '--server', server or self.tcp, *command]

    def run(self, *command, server=None, timeout=120, env=None):
        """A program through `outboard run`; its result, with output as text."""
        return subprocess.run(
            self.command(*command, server=server),
            capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL,
            env={**os.environ, **(env or {})})

    def run_linked(self, *command, server=None, timeout=300, env=None):
        """A program that is linked with our libcuda, so that `outboard run` need not preload
        it: a sanitizer's library can come first."""
        clean = {name: value for name, value in os.environ.items()
                 if name != 'LD_LIBRARY_PATH'}      # Meson's names the software device, too
        return subprocess.run(
            command, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL,
            env={**clean, 'OUTBOARD_SERVER': server or self.tcp, **(env or {})})

    def expect_no_reports(self):
        """No sanitizer has found anything in a worker, once all guests are gone."""
        wait_for(lambda: self.status_value(r'guests   (\d+)') == 0, 60, 'the end of the guests')
        log = self.log()
        expect('Sanitizer' not in log and 'runtime error' not in log, f'a worker:\n{log}')


def wait_for(condition, seconds, what):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.05)
    sys.exit(f'FAIL: {what} did not happen within {seconds} s')


def expect(condition, what, result=None):
    if condition:
        return
    print(f'FAIL: {what}')
    if result is not None:
        print(f'exit status {result.returncode}\n--- stdout\n{result.stdout}'
              f'\n--- stderr\n{result.stderr}')
    sys.exit(1)
