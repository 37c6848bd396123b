"""The size limit of a page: parts are added while they fit."""

#: Pages stay below this, so that they open at once and can be sent by mail.
PAGE_LIMIT_BYTES = 20_000_000


class PageBudget:
    """Counts the bytes of parts.

    Args:
        limit_bytes: of all parts together.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.left_bytes = limit_bytes

    def take(self, part: str) -> bool:
        """Whether ``part`` fits; it is counted if so.

        >>> budget = PageBudget(3)
        >>> budget.take("ab"), budget.take("ab"), budget.take("a")
        (True, False, True)
        """
        size = len(part.encode("utf-8", "replace"))
        if size > self.left_bytes:
            return False
        self.left_bytes -= size
        return True
