"""The job kinds that TaskHub ships, one module each: argument model, policy, handler. A new module is a new kind."""
