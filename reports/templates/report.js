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
        const text = cell ? cell.getAttribute("data-v") : null;
        return text === null || text === "" ? null : text;
      };
      const order = (a, b) => {
        const x = key(a), y = key(b);
        if (x === null || y === null) return (x === null) - (y === null); // what was not measured stays last
        const numbers = Number(x) - Number(y);
        const way = Number.isNaN(numbers) ? x.localeCompare(y) : numbers;
        return down ? -way : way;
      };
      body.append(...Array.from(body.rows).sort(order));
    });
  });
}
