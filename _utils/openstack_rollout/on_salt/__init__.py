"""The master's side of Salt: jobs, answers, pillar, console. No other room of the master imports Salt."""
