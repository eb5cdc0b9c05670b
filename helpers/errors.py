"""The one exception the lab shows to people."""


class LabError(Exception):
    """Something a person can put right.

    The message says what is wrong and where; `remedy` says what to type next.
    The command line prints both and exits with 1; a notebook shows them in
    place of a stack trace.
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message}\n{self.remedy}" if self.remedy else message

    def _render_traceback_(self) -> list[str]:
        """What IPython prints for an uncaught error: the message alone."""
        return [f"LabError: {self}"]
