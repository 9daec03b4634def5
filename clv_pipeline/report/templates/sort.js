// A click on a heading sorts its table: numbers by value, largest first, labels by text; once more turns it round.
function sortRows(table, column, direction) {
  const key = (row) => row.cells[column].dataset.v ?? "";
  const rows = [...table.tBodies[0].rows];
  const isNumber = rows.some((row) => key(row) !== "");
  const compare = (a, b) => {
    if (!isNumber) return direction * a.cells[column].textContent.localeCompare(b.cells[column].textContent, "en", { numeric: true });
    if (key(a) === "" || key(b) === "") return (key(a) === "") - (key(b) === "");
    return direction * (Number(key(a)) - Number(key(b)));
  };
  table.tBodies[0].append(...rows.sort(compare));
}

for (const table of document.querySelectorAll("table[data-sortable]")) {
  const headings = [...table.tHead.rows[0].cells];
  for (const [column, heading] of headings.entries()) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const first = heading.classList.contains("label") ? "ascending" : "descending";
      const turned = first === "ascending" ? "descending" : "ascending";
      const order = heading.getAttribute("aria-sort") === first ? turned : first;
      for (const other of headings) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", order);
      sortRows(table, column, order === "ascending" ? 1 : -1);
    });
  }
}
