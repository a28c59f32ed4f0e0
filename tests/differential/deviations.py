"""What torsion does otherwise than Twisted on purpose, as far as the scenarios can show it.

Each entry takes the scenario, who implements which role, the role, and two traces: the expected one, which is what Twisted's
end saw of a Twisted peer, and the one that was seen. It gives both back, changed exactly as the deviation demands, or None where
it does not apply. The names are those of docs/porting.md.
"""

from octets import received_of

DEVIATIONS = {}


def deviation(name):
    def register(function):
        DEVIATIONS[name] = function
        return function
    return register


def without(trace, prefix):
    return [event for event in trace if not event.startswith(prefix)]


def reworded(trace, old, new):
    """The reason of the loss changed from one class to another, if it was that."""
    return [event.replace(f"lost({old}", f"lost({new}", 1) if event.startswith("lost(") else event for event in trace]


def receiving(trace, made, sender, size):
    """The same trace for an end that received the first `size` octets of the other's stream."""
    return without(trace, "received=") + [received_of(int(made[sender].options["salt"]), size)]


@deviation("D2")
def no_handshake_with_another_host(made, impls, role, expected, actual):
    """The host is verified inside the handshake, which then is not completed; the server is told by an alert."""
    if "another host's" not in made.kind or impls[made.facts["visitor"]] != "torsion":
        return None
    if role == made.facts["visitor"]:
        expected = [event.replace(",wrong.example)", ")") for event in expected]
    else:
        expected = reworded(expected, "ConnectionLost", "Error")
    return without(expected, "handshake("), actual


@deviation("D6")
def a_close_waits_for_the_producer(made, impls, role, expected, actual):
    """Over TCP Twisted closes on a push producer that is idle, and stops it; what it would have written is lost."""
    if made.facts["mode"] != "plain" or "slow" not in made.facts or impls[made.facts["ending"]] != "torsion":
        return None
    if role == made.facts["ending"]:
        return without(expected, "stop"), actual
    if "data" not in expected:
        expected = [expected[0], "data", *expected[1:]]
    return receiving(expected, made, made.facts["ending"], made.facts["slow"]), actual


@deviation("D24")
def nothing_after_close(made, impls, role, expected, actual):
    """Twisted may deliver data after loseConnection over TLS; torsion must not."""
    if impls[role] == "twisted":
        actual = without(actual, "late")
    return without(expected, "late"), actual


@deviation("a half-close is final")
def no_writes_after_half_close(made, impls, role, expected, actual):
    """What is written behind loseWriteConnection Twisted sends, as long as something waits."""
    final = made.facts.get("final")
    if final is None or impls[made.facts["ending"]] != "torsion" or role == made.facts["ending"]:
        return None
    return receiving(expected, made, made.facts["ending"], final), actual


@deviation("the reason is what happened")
def own_reason(made, impls, role, expected, actual):
    """Over TLS Twisted takes the end that an abort or an exception of our own makes for the peer's truncation."""
    if impls[role] != "torsion" or made.facts.get("ending") != role or made.facts["mode"] == "plain":
        return None
    way = made.facts["way"]
    if "throw" in way:
        return reworded(expected, "ConnectionLost", "ScriptError"), actual
    # loseConnection is an abort while there is nothing to say and the handshake is not done (TLS-5).
    if "abort" in way or way in ("lose", "lose twice") and made.facts["trigger"] == made[role].begin:
        return reworded(expected, "ConnectionLost", "ConnectionAborted"), actual
    return None


@deviation("a producer has something to say")
def producers_before_the_handshake(made, impls, role, expected, actual):
    """loseConnection before the handshake: Twisted aborts unless something is written, torsion also waits for a producer."""
    facts = made.facts
    if facts.get("way") not in ("hold and lose", "pull and lose", "slow producer") or facts["mode"] == "plain":
        return None
    ending = made[facts["ending"]]
    if facts["trigger"] != ending.begin or impls[facts["ending"]] != "torsion":
        return None
    # All else is as if the close came after the handshake, of which Twisted's ends saw nothing.
    sender = made.other(role)
    wanted = ["made"]
    if facts["mode"] == "start" or role == "server" and facts["mode"] == "reversed":
        wanted.append("data")  # of which startTLS was the answer
    wanted += [event for event in actual if event.startswith("handshake(")][:1]
    if role != facts["ending"]:
        wanted += ["data"] + ["stop"] * facts["holder"]
    wanted += ["lost(ConnectionDone)", received_of(int(made[sender].options["salt"]), made[sender].written)]
    return wanted, ["lost(ConnectionDone)" if event.startswith("lost(ConnectionDone") else event for event in actual]
