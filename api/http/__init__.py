"""The HTTP interface as an actor: the gate before it, its documents, the page.

Thin handlers over the operator service; nothing is decided here.
"""
