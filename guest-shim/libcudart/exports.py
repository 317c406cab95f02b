#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""From names-N.txt: the version script, and a weak stand-in for each name.

A function that is implemented elsewhere in this folder is a strong symbol, and the linker
takes it instead of the stand-in; so no list of what is implemented has to be kept.

    exports.py script NAMES SONAME      the linker's version script
    exports.py stubs NAMES              C source
"""
import sys


def main():
    kind, names_file = sys.argv[1:3]
    names = open(names_file).read().split()
    if kind == 'script':
        print('%s {\n\tglobal:' % sys.argv[3])
        for name in names:
            print('\t\t%s;' % name)
        print('\tlocal:\n\t\t*;\n};')
        return
    print('/* Made by exports.py from %s: edit those. */' % names_file.split('/')[-1])
    print('#include <stdbool.h>\n')
    print('/* No CUDA header here: these have no parameters, and need none. */')
    print('int stub_missing(const char *name, bool *said);\n')
    print('#define STUB(name)                                                    \\')
    print('\t__attribute__((weak, visibility("default"))) int name(void);  \\')
    print('\t__attribute__((weak, visibility("default"))) int name(void)   \\')
    print('\t{                                                             \\')
    print('\t\tstatic bool said;                                     \\')
    print('\t\treturn stub_missing(#name, &said);                    \\')
    print('\t}\n')
    for name in names:
        print('STUB(%s)' % name)


main()
