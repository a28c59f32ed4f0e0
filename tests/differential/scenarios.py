"""Makes scenarios from a seed: a script for each end of one connection.

An end's script is a list of rules, each a trigger and some actions (README.md lists both). What happens must depend on the
order of events alone, never on time, so a scenario is built like a game of ping-pong: an end acts when it has received all
that the other one has written so far. Where both could end the connection at once, or one could cut off what the other still
has under way, the generator does not go.
"""

import random

SIZES = [0, 1, 2, 100, 1000, 4096, 16383, 16384, 16385, 40000, 65535, 65536, 65537, 100000, 200000]
SMALL = [1, 2, 100, 1000, 4096, 16384, 16385]
ALPN = [("", ""), ("", ""), ("h2+http/1.1", "http/1.1+h2"), ("spdy+h2", "h2"), ("h2", ""), ("", "h2")]


class End:
    """One end: options as in the commands of the drivers, and rules in the order in which they are set."""

    def __init__(self, salt, **options):
        self.options = {"salt": str(salt), **options}
        self.rules = []
        self.written = 0   # by all rules so far
        self.begin = None  # the rule whose actions come first on the transport that is tested

    def on(self, trigger, *actions):
        """Adds actions to the rule for this trigger, and makes that if there is none."""
        for known, existing in self.rules:
            if known == trigger:
                existing += actions
                return
        self.rules.append((trigger, list(actions)))

    def words(self):
        options = [f"{key}={value}" for key, value in sorted(self.options.items()) if value]
        return options + [f"on={trigger}/{','.join(actions)}" for trigger, actions in self.rules if actions]


class Scenario:
    def __init__(self, seed):
        self.seed = seed
        self.kind = ""
        self.server, self.client = End(3), End(101)
        self.facts = {}  # what the deviations go by

    def __getitem__(self, role):
        return self.server if role == "server" else self.client

    def other(self, role):
        return "client" if role == "server" else "server"

    def text(self):
        return "\n".join([f"  kind    {self.kind}", f"  server  {' '.join(self.server.words())}",
                          f"  client  {' '.join(self.client.words())}"])


def scenario(seed):
    """The scenario of this seed, always the same one."""
    rng = random.Random(seed)
    made = Scenario(seed)
    if rng.random() < 0.3:
        rng.choice(FAULTS)(rng, made)
    else:
        mode = rng.choices(["direct", "start", "reversed", "plain"], [50, 20, 10, 20])[0]
        secure(rng, made, mode)
        conversation(rng, made, mode)
    return made


def secure(rng, made, mode, small=False):
    """Puts both ends on TLS: from the start, by startTLS in the usual or the other direction, or not at all."""
    server, client = made.server, made.client
    made.facts["mode"] = mode
    if mode in ("direct", "plain"):
        for end in (server, client):
            end.options["tls"] = mode
            end.begin = "made"
    else:
        for end in (server, client):
            end.options["tls"] = "start"
        asked = rng.choice(SMALL)
        if mode == "start":
            granted = rng.choice(SMALL)
            client.on("made", f"w:{asked}")
            server.on(f"recv{asked}", f"w:{granted}", "starttls")
            client.on(f"recv{granted}", "starttls")
            server.begin, client.begin = f"recv{asked}", f"recv{granted}"
            server.written = granted
        else:
            client.on("made", f"w:{asked}", "starttls:server")
            server.on(f"recv{asked}", "starttls:client")
            client.begin, server.begin = "made", f"recv{asked}"
        client.written = asked
    if mode == "plain":
        return
    guard, visitor = (client, server) if mode == "reversed" else (server, client)
    guard.options["cert"] = "server"
    visitor.options.update(ca="ca", host="example.com")
    version = rng.choice(["", "", "1.2", "1.3"])
    server.options["version"] = client.options["version"] = version
    if small:
        return
    guard.options["alpn"], visitor.options["alpn"] = rng.choice(ALPN)
    if rng.random() < 0.25:
        guard.options["ca"] = "ca"
        visitor.options["cert"] = "client"


def writing(rng, end, producers, sizes=None, turns=True):
    """Actions that write something, and say so to the end. With `turns` some of it may be written in later turns."""
    sizes = sizes or SIZES
    kind = rng.choice(["w", "w", "ww", "q"] + (["turns"] if turns else []) + (["push", "pull"] * 2 if producers else []))
    size, pieces = rng.choice(sizes), rng.randint(1, 5)
    if kind == "pull":
        size = max(size, 1)  # one that writes nothing is not asked again
    if kind == "w":
        end.written += size
        return [f"w:{size}"]
    end.written += size * pieces
    if kind in ("q", "push", "pull"):
        return [f"{kind}:{pieces}x{size}"]
    actions = []
    for _ in range(pieces):
        actions += [f"w:{size}", "turn"] if kind == "turns" else [f"w:{size}"]
    return actions


def conversation(rng, made, mode):
    """Both say things in turn, then one ends it."""
    tls = mode != "plain"
    role = rng.choice(["server", "client"])
    rounds = rng.randint(0, 4)
    holder = rng.random() < 0.15  # the one who does not end it has an idle producer all the time
    ending = role if rounds % 2 == 0 else made.other(role)
    passive = made[made.other(ending)]
    if not tls and rng.random() < 0.4:
        for end in (made.server, made.client):
            end.options["half"] = "1"
    made.facts["holder"] = holder
    if holder:
        passive.on(passive.begin, "hold")

    # The other one may speak first, too: the directions do not depend on each other.
    both = rounds > 0 and rng.random() < 0.3
    if both:
        other = made[made.other(role)]
        trigger = "handshake" if tls and rng.random() < 0.5 else other.begin
        other.on(trigger, *writing(rng, other, False, SMALL, turns=False))

    trigger = None
    acknowledged = {"server": 0, "client": 0}
    for index in range(rounds):
        end = made[role]
        if index == 0:
            trigger = "handshake" if tls and rng.random() < 0.5 else end.begin
        else:
            trigger = f"recv{made[made.other(role)].written}"
            acknowledged[made.other(role)] = made[made.other(role)].written
        before = end.written
        actions = writing(rng, end, not (holder and end is passive))
        if end.written == before:  # nothing would answer nothing
            end.written += 1
            actions.append("w:1")
        if index > 0 and rng.random() < 0.2:
            end.on(trigger, "pause", "turn", "resume")
        end.on(trigger, *actions)
        role = made.other(role)

    assert role == ending
    end = made[role]
    if rounds == 0:
        trigger = "handshake" if tls and rng.random() < 0.6 else end.begin
        silent = end.written == 0 or mode == "start" and role == "client"  # what it wrote has been answered
    else:
        trigger = f"recv{passive.written}"
        silent = end.written == acknowledged[role] or end.written == 0 or rounds >= 2
    finish(rng, made, mode, role, trigger, silent)
    if rng.random() < 0.3:
        for each in (made.server, made.client):
            each.on("lost", "w:10", "lose", "w:10", "abort")


def finish(rng, made, mode, role, trigger, silent):
    """Lets an end close. It has received everything; `silent` says that all it wrote has been received as well."""
    tls = mode != "plain"
    end, other = made[role], made.other(role)
    passive = made[other]
    # A reset that meets a client before it has looked at its new connection is a connection that failed, or not.
    early = trigger == "made" and role == "server"
    ways = ["lose", "lose twice", "write and lose", "write, lose, write", "push and lose", "pull and lose", "hold and lose",
            "slow producer"]
    if tls and trigger != end.begin:  # there the handshake may be done by then, or not
        ways.append("lose in another turn")
    if silent and not early:
        ways += ["abort", "write and abort", "lose and abort", "abort and lose", "hold and abort", "throw", "write and throw"]
        if tls:
            ways.append("cut")
    if not tls and end.options.get("half"):
        ways += ["half-close"] * 4
    if trigger == end.begin and tls:  # an abort, before the handshake (TLS-5)
        if early:
            ways = [way for way in ways if way not in ("lose", "lose twice", "hold and lose", "slow producer", "pull and lose",
                                                       "push and lose")]
        if trigger == "made":
            ways = [way for way in ways if "throw" not in way]
    elif trigger == "made":
        ways = [way for way in ways if "throw" not in way]
    way = rng.choice(ways)
    made.kind = f"{mode}, {role} ends it on {trigger} by: {way}"
    made.facts.update(way=way, ending=role, trigger=trigger)
    act = lambda *actions: end.on(trigger, *actions)  # noqa: E731
    size = rng.choice(SIZES[1:])
    if way == "lose":
        act("lose")
    elif way == "lose twice":
        act("lose", "lose", "turn", "lose")
    elif way == "lose in another turn":
        act("turn", "lose")
    elif way in ("write and lose", "write, lose, write"):
        end.written += size
        act(f"w:{size}", "lose")
        if way != "write and lose":
            act("w:77")
            end.written += 0 if tls else 77
        elif rng.random() < 0.4 and not (made.facts["holder"] and not tls):
            passive.on(f"recv{end.written}", "lose")
            made.kind += ", and so does the other"
    elif way in ("push and lose", "pull and lose"):
        pieces = rng.randint(1, 5)
        end.written += size * pieces
        act(f"{way[:4]}:{pieces}x{size}", "lose")
    elif way == "hold and lose":
        end.written += size
        act("hold", "lose", f"w:{size}", "unreg")
    elif way == "slow producer":
        act("hold", "lose", "turn", "turn", f"w:{size}", "unreg")
        made.facts["slow"] = end.written + size
        end.written += size
    elif way == "write and abort":
        act(f"w:{size}", "abort")
    elif way == "lose and abort":
        act("lose", "abort")
    elif way == "abort and lose":
        act("abort", "lose", "w:10")
    elif way == "hold and abort":
        act("hold", "abort")
    elif way == "write and throw":
        act(f"w:{size}", "throw")
    elif way == "half-close":
        pieces = rng.randint(1, 5)
        kind = rng.choice(["w", "push", "pull"])
        if kind == "w":
            act(f"w:{size}", "losewrite", "w:10")
            made.facts["final"] = end.written + size
        else:
            act(f"{kind}:{pieces}x{size}", "losewrite")
        passive.on("readlost", *(["unreg"] if made.facts["holder"] else []), *writing(rng, passive, True), "lose")
        end.on("readlost", "lose")
    else:
        act(way)
    if way != "half-close":
        for each in (made.server, made.client):
            if each.options.get("half"):
                each.on("readlost", *(["unreg"] if made.facts["holder"] and each is passive else []), "lose")


# Faults. Each takes the generator and the scenario.


def fault(function):
    FAULTS.append(function)
    return function


FAULTS = []


def faulty(rng, made, kind, words=True):
    mode = rng.choice(["direct", "direct", "start", "reversed"])
    secure(rng, made, mode, small=True)
    made.kind = f"{mode}, {kind}"
    made.facts["fault"] = kind
    guard, visitor = ("client", "server") if mode == "reversed" else ("server", "client")
    made.facts.update(guard=guard, visitor=visitor)
    if words:  # which nobody will read
        for end in (made.server, made.client):
            if rng.random() < 0.5:
                end.on(end.begin, f"w:{rng.choice([1, 100, 1000])}")
    return made[guard], made[visitor]


@fault
def untrusted(rng, made):
    _, visitor = faulty(rng, made, "an authority that is not trusted")
    visitor.options["ca"] = "other_ca"


@fault
def expired(rng, made):
    guard, _ = faulty(rng, made, "an expired certificate")
    guard.options["cert"] = "expired"


@fault
def wrong_host(rng, made):
    guard, _ = faulty(rng, made, "another host's certificate", words=False)
    guard.options["cert"] = "wrong_host"


@fault
def no_client_certificate(rng, made):
    guard, visitor = faulty(rng, made, "no client certificate", words=False)
    guard.options["ca"] = "ca"
    if rng.random() < 0.5:
        made.kind += ", but a stranger's"
        visitor.options["cert"] = "stranger"


@fault
def no_common_protocol(rng, made):
    guard, visitor = faulty(rng, made, "no common ALPN protocol")
    guard.options["alpn"], visitor.options["alpn"] = "h2", "http/1.1+spdy"


@fault
def no_common_version(rng, made):
    guard, visitor = faulty(rng, made, "no common version")
    guard.options["version"], visitor.options["version"] = rng.choice([("1.2", "1.3"), ("1.3", "1.2")])


@fault
def no_tls(rng, made):
    """One end does not speak TLS, or hangs up in the middle of the handshake."""
    odd = rng.choice(["server", "client"])
    secure(rng, made, "direct", small=True)
    plain = made[odd]
    plain.options = {"tls": "plain", "salt": plain.options["salt"], "opaque": "1"}
    trigger = "made" if odd == "client" else "recv1"
    action = rng.choice(["http", "lose", "abort"])
    plain.on(trigger, action)
    made.kind = f"direct, but the {odd} speaks no TLS and does: {action}"
    made.facts.update(fault="no TLS")
    if rng.random() < 0.5:
        made[made.other(odd)].on("made", "w:100")


@fault
def early_close(rng, made):
    """One end closes while the other one is still sending."""
    mode = rng.choice(["direct", "start", "reversed"])
    secure(rng, made, mode)
    role = rng.choice(["server", "client"])
    end, sender = made[role], made[made.other(role)]
    sizes = [rng.choice([1000, 16384, 16385, 65537, 200000]) for _ in range(rng.randint(1, 4))]
    trigger = rng.choice(["handshake", sender.begin])
    before = sender.written
    for size in sizes:
        sender.on(trigger, f"w:{size}")
        sender.written += size
    stop = before + rng.randint(1, sender.written - before)
    end.options["stop"] = str(stop)
    end.on(f"recv{stop}", *([f"w:{rng.choice(SIZES)}"] if rng.random() < 0.5 else []), "lose")
    made.kind = f"{mode}, {role} closes after {stop} of {sender.written} octets"
    made.facts.update(fault="early")
