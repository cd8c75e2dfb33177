"""The judges of what the exchange sends: envelopes, rows, fields; pure.

A value is of the right kind and size or a named error; never zero.
"""
