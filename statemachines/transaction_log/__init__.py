"""The exchange's transaction log as the core reads it; how it is booked stands in `statemachines/ledger`."""
