"""Days as text."""

from datetime import date


def is_day(text: str) -> bool:
    """Whether a text is an ISO date; numpy would read ``today``, ``NaT`` and 20200501 as well."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
