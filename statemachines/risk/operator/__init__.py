"""The operator's commands (RM-5): what each does to the risk states, and the procedure that makes engines flat (R3).

What a risk state itself allows does not belong here (risk/machine.py); nor how an engine closes its positions.
"""
