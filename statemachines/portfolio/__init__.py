"""What the accounts hold and what it is worth: the one definition of equity, and the book that feeds it.

No rule about risk or orders may live here.
"""
