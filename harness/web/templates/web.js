// Follows a run or a task by server-sent events. Text from outside only ever becomes text, never markup.
"use strict";

function follow(element, handlers) {
  const source = new EventSource(element.dataset.stream);
  for (const [kind, handler] of Object.entries(handlers)) {
    source.addEventListener(kind, (event) => handler(JSON.parse(event.data), event));
  }
  source.addEventListener("end", () => { source.close(); location.reload(); });
  source.addEventListener("error", () => note(" · the connection was lost; it is tried again"));
  source.addEventListener("open", () => note(""));
  addEventListener("pagehide", () => source.close());
}

function note(text) {
  const place = document.getElementById("run-link");
  if (place) place.textContent = text;
}

function item(parts) {
  const line = document.createElement("li");
  for (const [tag, text] of parts) {
    const part = document.createElement(tag);
    part.textContent = text;
    line.append(part, " ");
  }
  return line;
}

function followRun(matrix) {
  const places = new Map([...matrix.querySelectorAll("[data-cell]")].map((cell) => [cell.dataset.cell, cell]));
  const states = new Map([...places].map(([id, cell]) => [id, cell.firstElementChild.classList[1]]));
  const open = new Set(["waiting", "compressed", "measuring"]);
  const list = document.getElementById("notes");
  follow(matrix, {
    cells(cells) {
      for (const cell of cells) {
        const place = places.get(cell.cell);
        if (!place) { location.reload(); return; }
        const state = place.firstElementChild;
        state.className = "state " + cell.state;
        state.textContent = cell.text;
        if (cell.reason) state.title = cell.reason;
        states.set(cell.cell, cell.state);
      }
      const through = [...states.values()].filter((state) => !open.has(state)).length;
      document.getElementById("run-done").textContent = `${through} of ${states.size} cells are through`;
    },
    note(one) {
      const at = one.at.slice(0, 19).replace("T", " ");
      list.prepend(item([["time", at], ["bdi", one.subject + ":"], ["bdi", one.text]]));
      while (list.children.length > 300) list.lastElementChild.remove();
    },
    run(run) {
      const state = document.getElementById("run-state").firstElementChild;
      state.className = "state " + run.state;
      state.textContent = run.state;
    },
  });
}

function followTask(list) {
  follow(list, {
    line(text) { list.append(item([["bdi", text]])); list.lastElementChild.scrollIntoView({ block: "nearest" }); },
    state(task) { if (task.state !== list.dataset.state) location.reload(); },
  });
}

const matrix = document.querySelector("#matrix[data-stream]");
if (matrix) followRun(matrix);
const task = document.querySelector("#task[data-stream]");
if (task) followTask(task);
