"""External values (DA-2): what is asked of the sources outside the exchange, and what they answer.

Not here: how they are fetched (`infra/feeds`) and what engines make of them.
"""
