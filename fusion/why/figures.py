"""How figures of an answer are written."""

from __future__ import annotations


def percent(probability: float) -> str:
    """ "<1 %", "7 %" or ">99 %" of a probability in [0, 1]."""
    if 0 < probability < 0.005:
        return "<1 %"
    if 0.995 <= probability < 1:
        return ">99 %"
    return f"{100 * probability:.0f} %"


def weight(value: float) -> str:
    """A signed weight with at least two significant digits: "+0.84", "−0.0031", "0" for none."""
    size = abs(value)
    digits = f"{size:.2f}" if size >= 0.1 else f"{size:.2g}"
    return ("+" if value > 0 else "−" if value < 0 else "") + digits
