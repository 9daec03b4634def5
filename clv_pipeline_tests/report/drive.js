// What a reader does, one page after the other; what came of it goes to the window around this one.
const found = { width: window.innerWidth, wide: [], failed: [], hidden: [] };
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const until = (ready) => new Promise((done) => (function look() { ready() ? done() : setTimeout(look, 20); })());
const tip = document.querySelector("[role=tooltip]");
const readTip = () => (tip.hidden ? "" : tip.textContent);

for (const page of all("main > .page")) {
  document.querySelector(`nav a[href="#${page.id}"]`).click();
  for (const fold of all("details", page)) fold.open = true;
  await until(() => all("[data-chart]", page).every((chart) => chart.querySelector("svg") || chart.matches(".failed")));
  if (document.documentElement.scrollWidth > window.innerWidth) found.wide.push(page.id);
  found.failed.push(...all(".failed", page).map((chart) => chart.id));
  found.hidden.push(...all("svg", page).filter((svg) => svg.getBoundingClientRect().width < 150).map((svg) => svg.parentElement.id));
  found.questions = (found.questions ?? 0) + (page.querySelector(".question") ? 1 : 0);
}

document.querySelector('nav a[href="#lens1"]').click();
const term = document.querySelector("#lens1 abbr");
term.focus();
const box = tip.getBoundingClientRect();
found.focused = [term.textContent, readTip(), box.left >= 0 && box.right <= window.innerWidth && box.bottom <= window.innerHeight];
document.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" }));
found.escaped = readTip();
term.dispatchEvent(new MouseEvent("mouseenter"));
found.hovered = readTip();
term.dispatchEvent(new MouseEvent("mouseleave"));
term.dispatchEvent(new MouseEvent("click", { bubbles: true }));
found.tapped = readTip();

const table = document.querySelector("#deciles table");
const heading = all("th", table.tHead).find((cell) => cell.textContent === "Customers");
const readColumn = () => all("tr", table.tBodies[0]).map((row) => Number(row.cells[heading.cellIndex].dataset.v));
heading.querySelector("button").click();
found.sorted = [heading.getAttribute("aria-sort"), readColumn()];
heading.querySelector("button").click();
found.turned = [heading.getAttribute("aria-sort"), readColumn()];

const link = document.querySelector('#chart-deciles').closest("figure").querySelector("[data-csv]");
link.addEventListener("click", (event) => event.preventDefault());
link.click();
found.csv = [link.download, link.hidden, decodeURIComponent(link.href.split(",").slice(1).join(",")).split("\n")];

document.querySelector('nav a[href="#lens3"]').click();
const picker = document.querySelector("#lens3 [data-picker]");
const countDimmed = () => all('#chart-age-aof path[opacity="0.12"]').length;
found.cohorts = all("option", picker).map((option) => option.value);
found.dimmed = [countDimmed()];
picker.value = found.cohorts[1];
picker.dispatchEvent(new Event("change"));
await until(() => countDimmed() > 0);
found.dimmed.push(countDimmed());
window.parent.postMessage(JSON.stringify(found), "*");
