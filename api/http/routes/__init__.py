"""The routes of the HTTP interface, by what they are about: each hands a request to the operator service and nothing
else."""
