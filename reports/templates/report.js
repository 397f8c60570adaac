"use strict";
// Tables sort by a click on a column's head. Without script they stay in the order in which they were written.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = Array.from(table.tHead.rows[0].cells);
  const body = table.tBodies[0];
  heads.forEach((head, column) => {
    if (!head.hasAttribute("data-sort")) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = (row) => {
        const cell = row.cells[column];
        if (!cell || cell.colSpan > 1 || cell.querySelector(".none-measured") || cell.matches(".none-measured")) return null;
        const exact = cell.getAttribute("data-v"); // where units differ from row to row
        const shown = exact === null ? cell.firstChild ? cell.firstChild.textContent.trim() : "" : exact;
        if (shown === "") return null;
        const number = Number.parseFloat(shown.replace("\u2212", "-").replaceAll(",", ""));
        return Number.isNaN(number) ? shown : number;
      };
      const order = ([x], [y]) => {
        if (x === null || y === null) return (x === null) - (y === null); // what was not measured stays last
        const way = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
        return down ? -way : way;
      };
      body.append(...Array.from(body.rows, (row) => [key(row), row]).sort(order).map(([, row]) => row));
    });
  });
}
