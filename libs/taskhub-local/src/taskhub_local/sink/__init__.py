"""Where mail and webhooks end on a test cluster: takes them, keeps them in files, and shows them by HTTP.

It runs in the image taskhub-sink, so it imports nothing beyond aiosmtpd and the mail package.
"""
