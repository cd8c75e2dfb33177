"""OR-6: the double-entry ledger as pure functions and one ledger per account; exact decimals, no I/O.

Debits are positive, credits negative; per posting and coin the lines sum to zero.
"""
