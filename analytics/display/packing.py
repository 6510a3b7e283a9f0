"""plotly.js, packed: a script of two megabytes that unpacks itself in the browser, once for all pages of a bundle."""

from __future__ import annotations

import base64
import functools
import gzip

UNPACK = """\
window.winlossPlotly = (async function () {
  var bytes = Uint8Array.from(atob("%s"), function (sign) { return sign.charCodeAt(0); });
  var stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  var script = document.createElement("script");
  script.textContent = await new Response(stream).text();
  document.head.appendChild(script);
  return window.Plotly;
})();
"""


def plotly_js() -> str:
    """Return plotly.js as it comes with the installed plotly."""
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())


def plotly_name() -> str:
    """Return the name under which a bundle keeps plotly.js: pages of an older run find the version they were made for.

    Examples
    --------
    >>> plotly_name().startswith("plotly-"), plotly_name().endswith(".js")
    (True, True)
    """
    from plotly.offline import get_plotlyjs_version

    return f"plotly-{get_plotlyjs_version()}.js"


@functools.cache
def packed_plotly() -> str:
    """Return a script that unpacks plotly.js; `window.winlossPlotly` is the promise of it.

    The same plotly gives the same text.
    """
    packed = gzip.compress(plotly_js().encode("utf-8"), 9, mtime=0)
    return UNPACK % base64.b64encode(packed).decode("ascii")
