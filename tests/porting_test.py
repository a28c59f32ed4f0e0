#!/usr/bin/env python3
"""Checks docs/porting-names.md, the table of Twisted's names and ours, against the public headers and the Twisted that is installed.

Fails unless each name that a row gives as ours stands in the code of a public header; unless what is called "the same" does;
unless each name of Twisted's is one; and unless the page has every public name of the modules in MODULES, and every method of
their interfaces. Prints a line for each fault. Takes the root of the source tree as its argument, or finds it.
"""

import importlib
import inspect
import re
import sys
import warnings
from pathlib import Path

PAGE = "docs/porting-names.md"
FLOORS = ["core", "protocols", "tls", "transports", "reactor", "application", "testing"]

# All public names of these are on the page: those of __all__, and the classes and functions that are defined there.
MODULES = """
    twisted.internet.defer twisted.internet.task twisted.internet.threads twisted.internet.protocol
    twisted.internet.endpoints twisted.internet.error twisted.internet.ssl twisted.internet.interfaces
    twisted.internet.address twisted.internet.testing twisted.application.service twisted.application.internet
    twisted.application.strports twisted.logger twisted.protocols.basic twisted.protocols.policies twisted.protocols.tls
    twisted.python.failure twisted.python.log twisted.python.systemd twisted.python.threadpool twisted.python.threadable
""".split()

# All public methods and attributes of these, too, as far as they define them; of interfaces all anyway.
CLASSES = """
    twisted.internet.defer.Deferred twisted.internet.defer.DeferredLock twisted.internet.defer.DeferredQueue
    twisted.internet.task.LoopingCall twisted.internet.task.Clock twisted.internet.task.Cooperator
    twisted.internet.task.CooperativeTask twisted.internet.protocol.Protocol twisted.internet.protocol.Factory
    twisted.internet.protocol.ClientFactory twisted.internet.protocol.ProcessProtocol
    twisted.internet.protocol.DatagramProtocol twisted.internet.ssl.Certificate twisted.internet.ssl.PrivateCertificate
    twisted.internet.ssl.KeyPair twisted.internet.ssl.CertificateRequest twisted.internet.ssl.TLSVersion
    twisted.protocols.basic.LineReceiver twisted.protocols.basic.LineOnlyReceiver
    twisted.protocols.policies.WrappingFactory twisted.protocols.policies.TimeoutMixin
    twisted.protocols.tls.TLSMemoryBIOProtocol twisted.application.service.Service
    twisted.application.service.MultiService twisted.application.internet.ClientService twisted.logger.Logger
    twisted.logger.LogPublisher twisted.logger.LogLevelFilterPredicate twisted.logger.LimitedHistoryLogObserver
    twisted.test.iosim.IOPump twisted.test.iosim.ConnectionCompleter twisted.python.failure.Failure
    twisted.internet.testing.StringTransport twisted.internet.testing.AccumulatingProtocol
    twisted.internet.testing.MemoryReactor twisted.internet.protocol.ReconnectingClientFactory
    twisted.python.systemd.ListenFDs twisted.internet.ssl.CertificateOptions twisted.python.threadpool.ThreadPool
""".split()

# Public by accident: what they are for is on the page, or nobody calls them.
INNER = {
    "debug", "send",  # of Deferred
    "call", "starttime", "deferred",  # of LoopingCall
    "connector",  # of ReconnectingClientFactory
    "pickled", "stack",  # of Failure
    "started", "joined", "q", "threadFactory", "currentThread",  # of ThreadPool
    "unpickle_lock", "DummyLock",  # of threadable
    "Client", "Server", "Port", "Connector",  # of ssl, where they are imported
}

# Names that the Twisted that is installed has not got, for they are newer, of another package, or of a program's own.
NOT_IN_TWISTED = set("""
    race FailureGroup failuresHandled failureHandler BufferingTLSTransport SNIMap HostDirectoryMap txsni OnionProtocol
    OnionFactory PopOnDisconnectTransport service_identity inheritedNamedDescriptors
""".split())

# What the right column shows besides ours: the language and its library, names that stand for the reader's own.
LANGUAGE = set("""
    auto bool catch co_await co_return const main namespace return std string this true
    chrono filesystem path mutex system_error shared_ptr move stdout stderr argc argv
    torsion hpp cpp examples
    P T A B a b d ds f x loop
""".split())

IDENTIFIER = re.compile(r"[A-Za-z_]\w*")


def without_comments(text):
    return re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.DOTALL)


def public_headers(root):
    """The headers that are installed."""
    for floor in FLOORS:
        listed = re.search(r"floor_headers = files\((.*?)\)", (root / floor / "meson.build").read_text(), re.DOTALL)
        for name in re.findall(r"'([^']+)'", listed.group(1)):
            yield root / floor / name


def our_names(root):
    names = set(FLOORS)
    for header in public_headers(root):
        names |= set(IDENTIFIER.findall(without_comments(header.read_text(encoding="utf-8"))))
        names |= {header.stem}
    # The prefixes of endpoint strings.
    names |= set(re.findall(r'\{"(\w+)", detail::', (root / "transports" / "endpoint_registry.cpp").read_text()))
    return names


def code(cell):
    """The identifiers in a cell's code, without what stands in quotes there."""
    names = []
    for span in re.findall(r"`([^`]+)`", cell):
        names += IDENTIFIER.findall(re.sub(r'"[^"]*"', "", span.replace("\\|", "|")))
    return names


def rows(path):
    """The rows of two columns, with their line numbers."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.startswith("|") or re.fullmatch(r"[|\s:-]+", line):
            continue
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
        if len(cells) == 2 and cells != ["Twisted", "torsion"]:
            yield number, cells


def public_names(module):
    own = {name for name, value in vars(module).items()
           if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__}
    return set(getattr(module, "__all__", ())) | own


def members(thing):
    """The public methods and attributes of an interface or class, those alone that it defines."""
    if hasattr(thing, "namesAndDescriptions"):
        return {name for name in thing.names() if not name.startswith("_")}
    return {name for name in vars(thing) if not name.startswith("_")}


def twisted_names():
    """What the page must have: each name, with where it is from."""
    wanted = {}
    for module_name in MODULES:
        module = importlib.import_module(module_name)
        for name in public_names(module):
            wanted.setdefault(name, module_name)
            thing = getattr(module, name, None)
            if hasattr(thing, "namesAndDescriptions") and thing.__name__ != "IResolver":
                for member in members(thing):
                    wanted.setdefault(member, f"{module_name}.{name}")
    for dotted in CLASSES:
        module_name, name = dotted.rsplit(".", 1)
        for member in members(getattr(importlib.import_module(module_name), name)):
            wanted.setdefault(member, dotted)
    return {name: origin for name, origin in wanted.items() if name not in INNER}


def all_of_twisted(package):
    """Every identifier in the sources of Twisted."""
    names = set()
    for source in Path(package.__file__).parent.rglob("*.py"):
        names |= set(IDENTIFIER.findall(source.read_text(encoding="utf-8", errors="replace")))
    return names


def check(root, twisted):
    page = root / PAGE
    ours = our_names(root)
    theirs = all_of_twisted(twisted) | NOT_IN_TWISTED
    known = set()
    faults = []
    count = 0
    for number, (left, right) in rows(page):
        count += 1
        where = f"{PAGE}:{number}"
        from_left, from_right = code(left), code(right)
        known |= set(from_left)
        for name in from_left:
            if name not in theirs:
                faults.append(f"{where}: Twisted has no {name}")
        for name in from_right:
            if name not in ours and name not in LANGUAGE and name not in from_left:
                faults.append(f"{where}: no public header has {name}")
        if right.startswith("not here"):
            if len(right.split()) < 4:
                faults.append(f"{where}: it does not say why not")
            continue
        if not from_right and "the same" not in right and not re.search(r"\]\(|compiler|lambda", right):
            faults.append(f"{where}: it names nothing of ours")
        # A name that is written as ours is one: Twisted's own may stand on the right only where it is spoken of.
        if re.match(r"(?:`[^`]*`(?:, | or )?)*,? ?the same", right):
            for name in from_left:
                without_i = name[1:] if re.match(r"I[A-Z]", name) else name
                if not {name, without_i} & (ours | set(from_right) | SPOKEN_OF):
                    faults.append(f"{where}: {name} is said to be the same, and no public header has it")
    for name, origin in sorted(twisted_names().items(), key=lambda pair: (pair[1], pair[0])):
        if name not in known:
            faults.append(f"{PAGE}: nothing is said of {name} ({origin})")
    if count < 100:
        faults.append(f"{PAGE}: only {count} rows were found")
    return faults, count


# What stands on the left of "the same" and is Python's own: modules, arguments, and keywords of calls.
SPOKEN_OF = set("""
    twisted internet python iosim sys fd AF_INET BaseProtocol IReactorFromThreads IReactorInThreads
""".split())


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent)
    warnings.simplefilter("ignore")  # some names are deprecated, and say so when they are looked at
    try:
        twisted = importlib.import_module("twisted")
        faults, count = check(root, twisted)
    except ImportError as missing:
        print(f"The names cannot be compared, for Python has no Twisted here: {missing}. Install the packages python3-twisted, "
              "python3-openssl and python3-service-identity, as ./dev test does.")
        return 1
    for fault in faults:
        print(fault)
    print(f"{count} rows, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
