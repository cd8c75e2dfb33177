"""The launch's side of the dead-man switch (RM-4): its process, its keys, and the beats that begin and end a run."""
