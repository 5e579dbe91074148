"""Who is asking: passwords, tokens, roles, and limits on how often one may ask."""
