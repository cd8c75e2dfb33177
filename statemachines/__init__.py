"""The pure core: machines, rules, messages, values and indicators, all synchronous.

No Ray, no input or output, no clock and no random numbers belong here; time arrives in the messages.
"""
