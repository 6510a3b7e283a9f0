(function () {
  "use strict";
  // A number alone is a poor name for a link: say which column and row it is of, in the words of the table.
  document.querySelectorAll('td > a[href*="deals.html#"]').forEach(function (link) {
    var heads = link.closest("table").tHead, cells = Array.from(link.closest("tr").cells), words = [];
    var place = cells.indexOf(link.parentNode), last = heads ? heads.rows[heads.rows.length - 1] : null;
    var head = last && last.cells.length === cells.length ? last.cells[place].textContent.trim() : "";
    cells.slice(0, place).every(function (cell, i) {
      var text = cell.textContent.trim(), day = head && last.cells[i].textContent.trim() === "Day";
      var figure = cell.classList.contains("gt_right") || cell.classList.contains("wl-n") ||
        cell.querySelector('a[href*="deals.html#"]');
      if (text && (day || !figure)) { words.push(day ? "day " + text : text); }
      return day || !figure;
    });
    if (/deal/.test(link.textContent)) { head = ""; }
    link.setAttribute("aria-label", link.textContent + (head ? " " + head.toLowerCase() : "") +
      (words.length ? ": the deals of " + words.join(", ") : ": its deals"));
  });
}());
