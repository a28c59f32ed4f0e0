#!/usr/bin/env python3
"""Checks that the programs in the documents compile: each block of C++ in the pages named below stands, word for word, in
docs/snippets/, which the build compiles. Prints a line for each fault. Takes the root of the source tree as its argument,
or finds it.
"""

import re
import sys
from pathlib import Path

PAGES = {"docs/logging.md": "docs/snippets/logging.cpp", "docs/tls.md": "docs/snippets/tls.cpp", "docs/onion.md": "docs/snippets/onion.cpp",
         "docs/reactors.md": "docs/snippets/reactors.cpp",
         "docs/testing.md": "docs/snippets/testing.cpp"}
BLOCK = re.compile(r"^```cpp\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    faults = []
    for page, source in PAGES.items():
        text = (root / page).read_text(encoding="utf-8")
        code = (root / source).read_text(encoding="utf-8")
        blocks = list(BLOCK.finditer(text))
        if not blocks:
            faults.append(f"{page}: no block of C++ was found")
        for block in blocks:
            if block.group(1) not in code:
                line = text[: block.start()].count("\n") + 1
                faults.append(f"{page}:{line}: this program is not in {source}")
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
