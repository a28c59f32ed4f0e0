"""Cases for the example programs, a module a topic."""
