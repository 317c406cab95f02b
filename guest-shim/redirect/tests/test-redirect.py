# SPDX-License-Identifier: Apache-2.0
"""Runs programs with a static runtime inside, with stand-ins for our libcudart preloaded."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

folder = sys.argv.pop(1)
ours = {}

EXPECTED_ERROR = 'cudaErrorSymbolNotFound (500, "named symbol not found")'


def path(name):
    return os.path.join(folder, name)


def run(*command, preload=('12', '13'), env=None):
    environment = dict(os.environ, LD_PRELOAD=':'.join(ours[p] for p in preload))
    environment.setdefault('HOME', '/')
    environment.update(env or {})
    return subprocess.run(command, capture_output=True, text=True, timeout=60,
                          env=environment)


class Redirect(unittest.TestCase):
    def passes(self, *command, **options):
        r = run(*command, **options)
        self.assertEqual((r.returncode, r.stderr), (0, ''), r.stdout + r.stderr)
        self.assertIn('PASS', r.stdout)

    def test_the_programs_call_theirs_without_us(self):
        for name in programs:
            r = subprocess.run([path(name)], capture_output=True, text=True, timeout=60)
            self.assertEqual(r.returncode, 1, name + r.stdout)
            self.assertIn('constructor 1, far 1, near 0', r.stdout)

    def test_calls_of_the_program_arrive(self):
        for name in programs:
            with self.subTest(name):
                self.passes(path(name))

    def test_the_right_major_serves_in_any_order(self):
        for preload in (('13', '12'), ('12', '13')):
            for name in programs:
                with self.subTest(name, preload=preload):
                    self.passes(path(name), preload=preload)
        self.passes(path('program12'), preload=('12',))
        self.passes(path('program13'), preload=('13',))

    def test_the_other_major_alone_does_not_serve(self):
        self.assertIn('constructor 1,', run(path('program12'), preload=('13',)).stdout)
        self.assertIn('constructor 1,', run(path('program13'), preload=('12',)).stdout)

    def test_plugins_are_served_before_their_constructors(self):
        self.passes(path('program13'), path('libplugin13.so'), path('libplugin12.so'),
                    path('libplugin13cet.so'), path('libplugin13.so'),
                    path('libplugin12exported.so'), path('libplugin13exported.so'))
        self.passes(path('program12'), path('libplugin13.so'), preload=('13', '12'))
        self.passes(path('program13'), path('libplugin13.so'), preload=('13',))

    def test_a_stripped_program_is_told_what_to_do(self):
        r = run(path('program-stripped'))
        self.assertEqual(r.returncode, 1)
        self.assertEqual(r.stderr.count('\n'), 1, r.stderr)
        for text in (path('program-stripped'), '-cudart shared', 'strip', EXPECTED_ERROR):
            self.assertIn(text, r.stderr)

    def test_a_system_that_forbids_it_is_named(self):
        r = run(path('deny'), path('program13'), preload=())
        if r.returncode == 77:
            self.skipTest('no seccomp here')
        r = run(path('deny'), path('program13'))
        self.assertEqual(r.returncode, 1, r.stdout + r.stderr)
        self.assertIn('constructor 1, far 1, near 0', r.stdout)
        self.assertEqual(r.stderr.count('\n'), 1, r.stderr)
        self.assertIn('SELinux', r.stderr)

    def test_a_debugger_sees_libraries_come(self):
        if shutil.which('gdb') is None:
            self.skipTest('no gdb')
        r = run('gdb', '-batch', '-nx', '-ex', 'set startup-with-shell off', '-ex',
                'set breakpoint pending on', '-ex',
                'set environment LD_PRELOAD ' + ':'.join(ours.values()), '-ex',
                'break plugin_check', '-ex', 'run', '-ex', 'backtrace 2', '-ex', 'delete',
                '-ex', 'continue', '--args', path('program13'), path('libplugin13.so'),
                preload=())
        if 'ptrace' in r.stderr:
            self.skipTest('no ptrace here')
        self.assertIn('plugin_check', r.stdout, r.stderr)
        self.assertIn('constructor 13001', r.stdout, r.stderr)
        # It may hold the place where plugins are noticed; then that is said.
        if 'PASS' not in r.stdout:
            self.assertIn('a debugger watches', r.stderr)

    def test_programs_without_cuda_are_left_alone(self):
        r = run('/bin/sh', '-c', 'echo $HOME; exec env')
        self.assertEqual((r.returncode, r.stderr), (0, ''))
        self.assertIn('LD_PRELOAD=', r.stdout)

    def test_a_program_of_nvcc(self):
        if not os.path.exists(path('kernel')):
            self.skipTest('no nvcc')
        ours['recorder'] = path('librecorder.so')
        r = run(path('kernel'), preload=('recorder',))
        self.assertEqual((r.returncode, r.stderr), (0, ''))
        self.assertEqual(r.stdout.split('\n')[:-1], [
            'register 466243b1', 'function _Z3addPKfS0_Pfi', 'launch 3 x 5 n=42',
            'malloc 0 0x3039, launch 4711, ours', 'unregister 1'])


programs = ('program12', 'program13', 'program12cet', 'program13cet', 'program13fixed',
            'program13needed', 'program12needed')

if __name__ == '__main__':
    with tempfile.TemporaryDirectory() as temporary:
        for major in ('12', '13'):
            ours[major] = os.path.join(temporary, 'libcudart.so.' + major)
            os.symlink(path('libcudart-test%s.so' % major), ours[major])
        unittest.main(verbosity=2)
