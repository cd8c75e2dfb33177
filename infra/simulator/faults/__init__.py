"""Faults that the simulated exchange can inject: the catalogue, which of them are active, scenarios over time.

Pure: what a fault does to a request, a frame or the venue is decided here; the server, the venue and the streams carry
it out.
"""
