"""What the queries of one subject share: their SQL, and how their rows become what is shown.

Connections and pages do not belong here (`queries`).
"""
