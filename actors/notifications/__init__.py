"""How the notifier acts: commit, send, commit what came of it. What it decides is in `statemachines/notifications/`."""
