"""What is large, packed, and unpacked in the browser: plotly.js once for a bundle, data of figures and of lists."""

from __future__ import annotations

import base64
import functools
import gzip

UNPACKED = """\
function unpacked(text) {
  var bytes = Uint8Array.from(atob(text), function (sign) { return sign.charCodeAt(0); });
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
}
"""
"""The other half of `packed`, for the browser: a function that returns the promise of the text."""

UNPACK = """\
window.winlossPlotly = (async function () {
  %s
  var script = document.createElement("script");
  script.textContent = await unpacked("%s");
  document.head.appendChild(script);
  return window.Plotly;
})();
"""


def packed(text: str) -> str:
    """Return a text in about a quarter of its length, in signs that may stand anywhere in a page.

    The same text gives the same signs.

    Examples
    --------
    >>> gzip.decompress(base64.b64decode(packed("</script>"))).decode()
    '</script>'
    """
    return base64.b64encode(gzip.compress(text.encode("utf-8"), 9, mtime=0)).decode("ascii")


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
    return UNPACK % (UNPACKED, packed(plotly_js()))
