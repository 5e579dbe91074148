"""Says a value in a panel's unit, as Grafana would."""

import math


def said(value: float, unit: str, decimals: int | None = None) -> str:
    """The value with its unit, short enough for a tile."""
    if math.isnan(value):
        return "no value"
    if unit == "percentunit":
        return f"{value * 100:.{1 if decimals is None else decimals}f} %"
    if unit == "s":
        return _duration(value)
    if unit == "d":
        return f"{value:.0f} d"
    if unit == "bytes":
        return _scaled(value, 1024, ["B", "KiB", "MiB", "GiB", "TiB"])
    rate = {"reqps": "/s", "ops": "/s"}.get(unit, "")
    return _scaled(value, 1000, ["", "k", "M", "G"]).strip() + rate


def _duration(seconds: float) -> str:
    size = abs(seconds)
    if size == 0:
        return "0 s"
    for limit, divisor, unit in ((1e-3, 1e-6, "µs"), (1, 1e-3, "ms"), (120, 1, "s"), (7_200, 60, "min")):
        if size < limit:
            return f"{seconds / divisor:.3g} {unit}"
    return f"{seconds / 3_600:.3g} h" if size < 172_800 else f"{seconds / 86_400:.3g} d"


def _scaled(value: float, base: int, units: list[str]) -> str:
    power = 0
    while abs(value) >= base and power < len(units) - 1:
        value /= base
        power += 1
    return f"{value:.4g} {units[power]}"
