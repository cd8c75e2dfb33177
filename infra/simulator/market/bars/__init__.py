"""Bars of every interval of the exchange: names, bounds, parts of hours, months."""
