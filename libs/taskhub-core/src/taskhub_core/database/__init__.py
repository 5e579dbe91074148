"""Everything about reaching PostgreSQL: engines, units of work, errors sorted by what can be done about them."""
