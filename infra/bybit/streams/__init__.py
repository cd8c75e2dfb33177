"""The exchange's streams: supervised connections, topics, frames into message bodies.

Nothing here calls REST endpoints.
"""
