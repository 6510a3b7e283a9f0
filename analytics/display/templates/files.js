// Gives out the CSV files that the page carries, so that they come along wherever it is copied to.
(function () {
  "use strict";
  /*UNPACKED*/
  document.querySelectorAll("a[data-csv]").forEach(function (link) {
    var carried = document.getElementById(link.dataset.csv);
    if (!carried || !window.DecompressionStream) return; // the link leads to the file in the run's folder
    link.download = decodeURIComponent(link.getAttribute("href").split("/").pop());
    link.addEventListener("click", function (event) {
      if (link.href.indexOf("blob:") === 0) return;
      event.preventDefault();
      unpacked(carried.textContent).then(function (text) {
        link.href = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
        link.click();
      });
    });
  });
})();
