"""What the TaskHub apps share: by feature (accounts, tasks, jobs, events, search) and by need (database, telemetry)."""
