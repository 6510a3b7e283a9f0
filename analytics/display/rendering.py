"""The renderer that makes figures compare exactly from run to run, with a description from their numbers."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import numpy as np

SIGNIFICANT_DIGITS = 6


def stable(node: Any) -> Any:
    """Return a figure's JSON with arrays decoded, floats at 6 significant digits, and keys sorted.

    plotly stores NumPy arrays as base64, where one unit in the last place makes an unreadable difference; here the
    same numbers give the same bytes. Values that are not finite become null.

    Examples
    --------
    >>> stable({"b": 0.1 + 0.2, "a": [float("nan"), 1]})
    {'a': [None, 1], 'b': 0.3}
    """
    if isinstance(node, dict):
        if "bdata" in node and "dtype" in node:
            return stable(_decoded(node))
        return {key: stable(node[key]) for key in sorted(node)}
    if isinstance(node, (list, tuple)):
        return [stable(item) for item in node]
    if isinstance(node, float):
        if not math.isfinite(node):
            return None
        short = float(f"{node:.{SIGNIFICANT_DIGITS}g}")
        return 0.0 if short == 0 else short
    return node


def _decoded(node: dict[str, Any]) -> Any:
    array = np.frombuffer(base64.b64decode(node["bdata"]), dtype=np.dtype(node["dtype"]))
    if "shape" in node:
        array = array.reshape([int(part) for part in str(node["shape"]).split(",")])
    return array.tolist()


def figure_json(figure: Any) -> dict[str, Any]:
    """Return the stable JSON of a plotly figure, as a dictionary."""
    import plotly.io as pio

    result: dict[str, Any] = stable(json.loads(pio.to_json(figure, remove_uids=True, validate=False)))
    return result


def alt_text(figure: dict[str, Any]) -> str:
    """Return the description of a figure made from its numbers (`layout.meta.alt`)."""
    meta = figure.get("layout", {}).get("meta") or {}
    return str(meta.get("alt", "")) if isinstance(meta, dict) else ""


def use_stable_renderer() -> None:
    """Make plotly show every figure as its stable JSON, with its description as text/plain; safe to call twice."""
    import plotly.io as pio
    from plotly.io.base_renderers import MimetypeRenderer

    class Stable(MimetypeRenderer):  # type: ignore[misc]
        """Renderer `winloss`: see `stable`."""

        def to_mimebundle(self, fig_dict: Any) -> dict[str, Any]:
            figure = figure_json(fig_dict)
            return {
                "application/vnd.plotly.v1+json": figure,
                "text/plain": "[figure] " + alt_text(figure),
            }

    if "winloss" not in pio.renderers:
        pio.renderers["winloss"] = Stable()
    pio.renderers.default = "winloss"
