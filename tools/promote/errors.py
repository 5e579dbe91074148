"""What can go wrong in a promotion."""


class PromotionError(Exception):
    """The promotion was not made; the text says why and what to do. No file was changed."""
