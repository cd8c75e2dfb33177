"""The typed client of the interface: how it is generated, and what holds it against the interface."""
