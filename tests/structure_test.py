"""Checks what the compilers do not: includes point down the floors, and awaits stand where g++ 12 can compile them."""

import pathlib
import re
import sys

FLOORS = ["core", "protocols", "tls", "transports", "reactor", "application", "testing"]
INCLUDE = re.compile(r'\s*#\s*include\s+[<"](?:torsion/)?(\w+)/')
# `auto x = co_await f();`, `x = co_await f();` or `co_await f();`, each on a line of its own.
GOOD_AWAIT = re.compile(r"^\s*(?:(?:const\s+)?[\w:<>,&*\s\[\]]+\s=\s)?co_await\s[^{}]*;\s*(?://.*)?$")


def strip_comments(text):
    """Takes out comments and the insides of strings, and keeps the lines."""
    def blank(match):
        kept = "\n" * match.group(0).count("\n")
        return '""' + kept if match.group(0)[0] == '"' else kept
    return re.sub(r'"(?:\\.|[^"\\\n])*"|/\*.*?\*/|//[^\n]*', blank, text, flags=re.S)


def include_faults(root):
    for path in sorted(root.glob("*/*.[hc]pp")):
        floor = path.parent.name
        if floor not in FLOORS:
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            target = match.group(1)
            if target in FLOORS and FLOORS.index(target) > FLOORS.index(floor):
                yield f"{path.relative_to(root)}:{number}: {floor} includes {target}, which is above it"
            elif target == "tests":
                yield f"{path.relative_to(root)}:{number}: {floor} includes a test"
        if path.suffix == ".hpp" and "#pragma once" not in path.read_text():
            yield f"{path.relative_to(root)}: no #pragma once"


def await_faults(root):
    folders = FLOORS + ["examples", "tests"]
    for path in sorted(p for folder in folders for p in (root / folder).rglob("*.[hc]pp")):
        if path.name in ("coroutine.hpp", "coroutine.cpp", "deferred.hpp"):
            continue   # what makes awaiting work
        code = strip_comments(path.read_text())
        for number, line in enumerate(code.splitlines(), 1):
            if "co_await" in line and not GOOD_AWAIT.match(line):
                yield (f"{path.relative_to(root)}:{number}: an await that g++ 12 may miscompile; "
                       f"write `auto x = co_await f();` on a line of its own")


def main():
    root = pathlib.Path(sys.argv[1])
    faults = [*include_faults(root), *await_faults(root)]
    print("\n".join(faults))
    print(f"{len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
