#!/usr/bin/env python3
"""Checks that the programs in the documents compile: each block of C++ in the pages named below stands, word for word, in
docs/snippets/, which the build compiles; those of docs/ports.md, in both languages, in examples/ports/. Prints a line
for each fault. Takes the root of the source tree as its argument, or finds it.
"""

import re
import sys
from pathlib import Path

PAGES = {"docs/logging.md": "docs/snippets/logging.cpp", "docs/tls.md": "docs/snippets/tls.cpp", "docs/onion.md": "docs/snippets/onion.cpp",
         "docs/reactors.md": "docs/snippets/reactors.cpp",
         "docs/applications.md": "docs/snippets/applications.cpp",
         "docs/testing.md": "docs/snippets/testing.cpp"}
PORTS, PORTS_FOLDER = "docs/ports.md", "examples/ports"
SUFFIXES = {"cpp": ".cpp", "python": ".py"}  # of the files there, by the language of a block
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def check(faults, root, page, sources):
    """sources: by language, what the page's blocks are taken from, and where that is."""
    text = (root / page).read_text(encoding="utf-8")
    for language, (files, where) in sources.items():
        codes = [file.read_text(encoding="utf-8") for file in files]
        blocks = [block for block in BLOCK.finditer(text) if block.group(1) == language]
        if not blocks:
            faults.append(f"{page}: no block of {language} was found")
        for block in blocks:
            if not any(block.group(2) in code for code in codes):
                line = text[: block.start()].count("\n") + 1
                faults.append(f"{page}:{line}: this program is not in {where}")


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    faults = []
    for page, source in PAGES.items():
        check(faults, root, page, {"cpp": ([root / source], source)})
    ports = {language: (sorted((root / PORTS_FOLDER).glob(f"*{suffix}")), f"{PORTS_FOLDER}/*{suffix}")
             for language, suffix in SUFFIXES.items()}
    check(faults, root, PORTS, ports)
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
