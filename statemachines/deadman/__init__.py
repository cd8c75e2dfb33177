"""The dead-man switch (RM-4): what counts as silence, which orders are cancelled then, and when that has been done.

Pure like the rest of the core. The process that reads beats and cancels orders is `infra.deadman`.
"""
