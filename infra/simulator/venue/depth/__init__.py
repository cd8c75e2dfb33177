"""The order book, flat or made of the one rule of what size costs."""
