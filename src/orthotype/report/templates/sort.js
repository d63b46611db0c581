"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    if (head.tagName !== "TH") return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => sortBy(table, heads, column));
  });
}
function sortBy(table, heads, column) {
  const down = heads[column].getAttribute("aria-sort") !== "descending";
  heads.forEach((head) => head.removeAttribute("aria-sort"));
  heads[column].setAttribute("aria-sort", down ? "descending" : "ascending");
  const key = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
  const number = (text) => (text === "" ? NaN : Number(text.replace(/[,%]|^[<>] /g, "")));
  const compare = (a, b) => {
    const [x, y] = [number(key(a)), number(key(b))];
    if (Number.isNaN(x) && Number.isNaN(y)) return key(b).localeCompare(key(a));
    if (Number.isNaN(x)) return down ? 1 : -1;
    if (Number.isNaN(y)) return down ? -1 : 1;
    return y - x;
  };
  const rows = [...table.tBodies[0].rows].sort((a, b) => (down ? compare(a, b) : compare(b, a)));
  table.tBodies[0].append(...rows);
}
