"""What the rules, dashboards, runbooks and the failure matrix promise."""
