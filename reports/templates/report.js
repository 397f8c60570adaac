"use strict";
const WORDS = {}; // written here in the language of the page
// Tables sort by a click on a column's head. Without script they stay in the order in which they were written.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = Array.from(table.tHead.rows[0].cells);
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  heads.forEach((head, column) => {
    if (!head.hasAttribute("data-sort")) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    const key = (row) => {
      const cell = row.cells[column];
      if (!cell || cell.colSpan > 1 || cell.matches(".none-measured") || cell.querySelector(".none-measured")) return null;
      const exact = cell.getAttribute("data-v"); // where units differ from row to row
      const shown = exact === null ? cell.firstChild ? cell.firstChild.textContent.trim() : "" : exact;
      if (shown === "") return null;
      const number = Number.parseFloat(shown.replace("\u2212", "-").replaceAll(",", ""));
      return Number.isNaN(number) ? shown : number;
    };
    let keys = null; // read at the first click, as most columns are never sorted by
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      keys ??= new Map(rows.map((row) => [row, key(row)]));
      const order = (one, other) => {
        const x = keys.get(one), y = keys.get(other);
        if (x === null || y === null) return (x === null) - (y === null); // what was not measured stays last
        const way = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
        return down ? -way : way;
      };
      body.append(...Array.from(body.rows).sort(order));
    });
  });
}

// With many boards one is shown at a time, chosen beside the sections' names; a link into another board chooses that one.
// Without script all are there. What is printed is what is chosen.
const parts = Array.from(document.querySelectorAll(".board"));
const boards = Array.from(new Set(parts.map((part) => part.dataset.board)));
const MANY_BOARDS = 4;
if (boards.length > 1) {
  const label = document.createElement("label");
  const select = document.createElement("select");
  label.className = "switch";
  label.append(WORDS.board, select);
  for (const name of ["", ...boards]) select.append(new Option(name || WORDS.all, name));
  const show = () => {
    for (const part of parts) part.hidden = select.value !== "" && part.dataset.board !== select.value;
    for (const section of document.querySelectorAll("main > section")) {
      const own = section.querySelectorAll(".board");
      section.hidden = own.length > 0 && Array.from(own).every((part) => part.hidden);
    }
  };
  const follow = () => {
    const target = location.hash.length > 1 ? document.getElementById(decodeURIComponent(location.hash.slice(1))) : null;
    const hidden = target && target.matches("section") && target.hidden ? target.querySelector(".board") : null;
    if (hidden) {
      select.value = hidden.dataset.board;
      show();
      target.scrollIntoView();
    }
  };
  select.value = boards.length > MANY_BOARDS ? boards[0] : "";
  select.addEventListener("change", show);
  addEventListener("hashchange", follow);
  document.querySelector("nav ol").append(Object.assign(document.createElement("li"), { className: "switch" }));
  document.querySelector("nav li.switch").append(label);
  show();
  follow();
}

// The matrix takes the focus once; arrow keys go from cell to cell, and the line below says in words where one is.
const grid = document.querySelector("table.matrix");
if (grid) {
  const heads = Array.from(grid.tHead.rows[0].cells, (head) => head.textContent);
  const rows = Array.from(grid.tBodies[0].rows);
  const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  const told = document.getElementById("matrix-cell");
  if (rows.length) rows[0].cells[1].tabIndex = 0;
  grid.addEventListener("focusin", ({ target }) => {
    if (!target.matches("td")) return;
    const parts = { candidate: target.parentElement.cells[0].textContent, board: heads[target.cellIndex], text: target.textContent || WORDS.absent };
    told.textContent = WORDS.cell.replace(/\{(\w+)\}/g, (_, name) => parts[name]);
  });
  grid.addEventListener("keydown", (event) => {
    const step = steps[event.key], from = event.target;
    if (!step || !from.matches("td")) return;
    const row = rows[rows.indexOf(from.parentElement) + step[0]];
    const to = row ? row.cells[from.cellIndex + step[1]] : null;
    if (!to || !to.matches("td")) return;
    event.preventDefault();
    from.tabIndex = -1;
    to.tabIndex = 0;
    to.focus();
  });
}
