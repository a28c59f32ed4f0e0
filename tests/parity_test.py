#!/usr/bin/env python3
"""Checks the documents that promise tests: docs/parity-core.md, docs/parity-model.md and docs/parity-tls.md row by row, and the
deviations of docs/porting.md.

Fails unless each row of the parity tables names test cases that exist in tests/**/*_test.cpp and cite the row's ID, or a deviation
that porting.md explains; unless no ID of the sections that are complete is missing; and unless every file below tests/ that
porting.md names is there. Prints a line for each fault. Takes the root of the source tree as its argument, or finds it.
"""

import re
import sys
from pathlib import Path

# The sections of which every behaviour has a row, by document: how many there are of each.
COMPLETE = {
    "docs/parity-core.md": {"TR": 17, "PC": 12, "CL": 6, "LR": 10, "PO": 4},
    "docs/parity-model.md": {
        "DF": 16, "IC": 5, "DV": 18, "AG": 6, "DC": 11, "TS": 10, "SE": 7, "TH": 7, "TP": 6, "PF": 5, "IF": 4, "PY": 6,
        "EP": 6, "ES": 7, "HE": 7, "EN": 6, "UX": 4, "AS": 3, "SA": 2, "RC": 8, "SV": 6, "LG": 17, "TK": 18,
    },
    "docs/parity-tls.md": {"TLS": 24, "STL": 5, "CFG": 17, "TRN": 7, "TT": 32},
}

# Also our own macros round TEST_CASE, such as CONTRACT_CASE.
TEST_CASE = re.compile(
    r'\b(?:TEST_CASE(?:_[A-Z_]+)?|[A-Z]+_CASE)\(\s*(?:[\w:<>]+\s*,\s*)?((?:"(?:[^"\\]|\\.)*"\s*)+)')
LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"')


def test_cases(root):
    """The names of all test cases, as doctest sees them."""
    names = set()
    for source in (root / "tests").rglob("*_test.cpp"):
        for match in TEST_CASE.finditer(source.read_text(encoding="utf-8")):
            names.add(re.sub(r"\\(.)", r"\1", "".join(LITERAL.findall(match.group(1)))))
    return names


def rows(path, columns):
    """The rows of all tables in a document that have this many columns, with their line numbers."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.startswith("|") or re.fullmatch(r"[|\s:-]+", line):
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) == columns:
            yield number, cells


def cites(name, behaviour):
    """Whether a test case's name has the ID in parentheses, alone or among others."""
    return any(behaviour in re.split(r"[\s,;]+", group) for group in re.findall(r"\(([^()]*)\)", name))


def check(root):
    known = test_cases(root)
    porting = root / "docs" / "porting.md"
    deviations = set()
    faults = []

    for number, cells in rows(porting, 4):
        name = re.fullmatch(r"\*\*(.+)\*\*", cells[0])
        if not name:
            continue
        deviations.add(name.group(1))
        for file in re.findall(r"[\w/]+\.(?:cpp|py)", cells[3]):
            if not (root / "tests" / file).exists():
                faults.append(f"docs/porting.md:{number}: there is no tests/{file}")

    seen = set()
    for document, sections in COMPLETE.items():
        for number, (behaviour, _, cases, compared) in rows(root / document, 4):
            if not re.fullmatch(r"[A-Z]+-\d+", behaviour):
                continue
            where = f"{document}:{number}: {behaviour}"
            if behaviour in seen:
                faults.append(f"{where} has two rows")
            seen.add(behaviour)
            names = re.findall(r"`([^`]+)`", cases)
            for name in names:
                if name not in known:
                    faults.append(f'{where}: there is no test case "{name}"')
                elif not cites(name, behaviour):
                    faults.append(f'{where}: the test case "{name}" does not cite it')
            if compared == "same":
                if not names:
                    faults.append(f"{where} is neither tested nor a deviation")
                continue
            for deviation in compared.split("; "):
                if deviation not in deviations:
                    faults.append(f'{where}: docs/porting.md does not explain "{deviation}"')
        for section, count in sections.items():
            for index in range(1, count + 1):
                if f"{section}-{index}" not in seen:
                    faults.append(f"{document}: {section}-{index} has no row")

    if not seen or not deviations or not known:
        faults.append("the documents or the tests were not found")
    return faults, len(seen)


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent)
    faults, count = check(root)
    for fault in faults:
        print(fault)
    print(f"{count} behaviours, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
