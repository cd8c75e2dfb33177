"""The life cycle of a component (an actor) and the supervision policy that restarts it (OR-8), pure.

Wall time only: it arrives with every event. The caller starts and kills processes.
"""
