"""Mail: what TaskHub writes to people, and how it leaves by SMTP."""
