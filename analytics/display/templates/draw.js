// Draws every figure of the page from its packed JSON: for the width of the window, for a dark screen, for paper.
(function () {
  "use strict";
  var DARK = /*DARK*/{};
  var NARROW = 560, PAPER = 670; // pixels: labels go above their rows below the first; width of A4 between its margins
  var dark = window.matchMedia("(prefers-color-scheme: dark)"), paper = window.matchMedia("print");
  var figures = new Map(); // by place, the JSON of what is drawn there
  var state = (window.winlossFigures = { drawn: 0, wanted: 0, errors: [] });

  /*UNPACKED*/
  function read(plot) {
    return unpacked(plot.parentNode.querySelector("script.wl-data").textContent)
      .then(function (text) { figures.set(plot, text); });
  }

  function recoloured(node) {
    if (typeof node === "string") {
      if (DARK[node]) return DARK[node];
      if (node.indexOf("#") < 0 && node.indexOf("rgba(") < 0) return node;
      return node.replace(/#[0-9A-Fa-f]{6}\b|rgba\(\d+,\d+,\d+,/g, function (found) { return DARK[found] || found; });
    }
    if (Array.isArray(node)) return node.map(recoloured);
    if (node && typeof node === "object") {
      var copy = {};
      Object.keys(node).forEach(function (key) { copy[key] = key === "meta" ? node[key] : recoloured(node[key]); });
      return copy;
    }
    return node;
  }

  function set(target, path, value) {
    var keys = path.split("."), last = keys.pop();
    keys.forEach(function (key) { target = target[key] = target[key] || {}; });
    target[last] = value;
  }

  function narrowed(figure) {
    var layout = figure.layout, change = (layout.meta && layout.meta.narrow) || {};
    Object.keys(change).forEach(function (path) {
      if (path.indexOf("data.") === 0) return set(figure, path, change[path]);
      if (path !== "annotations" && path !== "shapes") return set(layout, path, change[path]);
      change[path].forEach(function (keys, i) {
        Object.keys(keys).forEach(function (key) {
          if (keys[key] === null) delete layout[path][i][key];
          else layout[path][i][key] = keys[key];
        });
      });
    });
  }

  function draw(plot, printing) {
    var figure = JSON.parse(figures.get(plot));
    var width = printing ? Math.min(PAPER, parseInt(plot.parentNode.style.maxWidth, 10) || PAPER) : plot.clientWidth;
    var look = [width, dark.matches && !printing].join();
    if (!width || plot.dataset.look === look) return;
    if (width < NARROW) narrowed(figure);
    figure.layout.width = width;
    figure.layout.autosize = false;
    plot.style.height = figure.layout.height + "px";
    if (dark.matches && !printing) figure = recoloured(figure);
    plot.dataset.look = look;
    window.Plotly.react(plot, figure.data, figure.layout, { displayModeBar: false, staticPlot: false, showTips: false })
      .then(function () { if (!plot.dataset.drawn) { plot.dataset.drawn = "1"; state.drawn += 1; } })
      .catch(function (error) { state.errors.push(plot.id + ": " + error); });
  }

  function all(printing) {
    plots.forEach(function (plot) {
      try { draw(plot, printing); } catch (error) { state.errors.push(plot.id + ": " + error); throw error; }
    });
  }

  var waiting = 0;
  function later() { cancelAnimationFrame(waiting); waiting = requestAnimationFrame(function () { all(paper.matches); }); }
  var plots = Array.from(document.querySelectorAll(".wl-plot"));
  state.wanted = plots.length;
  (window.winlossPlotly || Promise.reject("the file with plotly.js is not beside the report")).then(function () {
    return Promise.all(plots.map(read));
  }).then(function () {
    all(paper.matches);
    window.addEventListener("resize", later);
    dark.addEventListener("change", later);
    window.addEventListener("beforeprint", function () { all(true); });
    window.addEventListener("afterprint", later);
  }).catch(function (error) {
    state.errors.push(String(error));
    plots.forEach(function (plot) {
      if (plot.dataset.drawn) return;
      plot.textContent = "This figure cannot be drawn here (" + error + "). Its numbers are in the table below.";
      plot.style.height = "auto";
    });
  });
})();
