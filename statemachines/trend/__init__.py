"""TREND (SPEC chapter 3): machine, rules, positions and engine of the sub-accounts TREND-1 and TREND-2.

No Ray, no input or output and no clock belong here.
"""
