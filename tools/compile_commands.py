#!/usr/bin/env python3
"""compile_commands.py COMMAND FILE...

Prints a compilation database (https://clang.llvm.org/docs/JSONCompilationDatabase.html) of C files that are all compiled
with the same command. Run it in the root of the source tree.
"""

import json
import os
import shlex
import sys

if len(sys.argv) < 3 or sys.argv[1] in ("-h", "--help"):
    print(__doc__.strip())
    sys.exit(0 if "--help" in sys.argv or "-h" in sys.argv else 2)
command = shlex.split(sys.argv[1])
json.dump([{"directory": os.getcwd(), "file": file, "arguments": [*command, "-c", file]} for file in sys.argv[2:]],
          sys.stdout, indent=1)
print()
