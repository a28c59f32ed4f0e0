"""Cases against peers that are not ours, a module a kind of peer."""
