"""What happens to every request before and after its route, as plain ASGI middlewares: one file each, outermost first.

story (id, log line, metrics) > shedding > deadline > media_type > body_limit > text_guard > methods
> shortcuts > the routes.
"""
