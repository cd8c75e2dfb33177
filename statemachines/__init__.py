"""What is decided: machines, rules, messages, values and indicators, all pure and synchronous.

No Ray, no input or output, no clock and no random numbers may live here; time arrives in the messages.
"""
