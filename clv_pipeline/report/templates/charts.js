// Charts are drawn when their page is shown for the first time, and before printing.
const read = (id) => JSON.parse(document.getElementById(id).textContent);
const specs = read("charts");
const sets = read("datasets");
const options = { mode: "vega-lite", renderer: "svg", actions: false, config: read("theme") };
const views = new Map();

// Rows come as names and values, each set once for all charts; what draws them wants an object a row.
function listRows(name) {
  const { names, rows } = sets[name];
  return rows.map((row) => Object.fromEntries(names.map((name, at) => [name, row[at]])));
}

const complete = (spec) => ({ ...spec, datasets: Object.fromEntries(spec.datasets.map((name) => [name, listRows(name)])) });

async function draw(element) {
  views.set(element, null);
  try {
    const { view } = await window.vegaEmbed(element, complete(specs[element.id]), options);
    views.set(element, view);
    element.querySelector("svg")?.setAttribute("aria-hidden", "true"); // the picture has its text; its parts have none
    listenToClicks(element, view);
    showOnTap(element);
    await chooseCohort(view, cohortOf(element));
  } catch (error) {
    element.classList.add("failed");
    element.textContent = "This chart could not be drawn; the figures are in the table.";
    console.error(element.id, error);
  }
}

// One after the other, so that the first charts show while the last are still being drawn.
async function drawAll(page) {
  for (const element of page.querySelectorAll("[data-chart]")) {
    if (!views.has(element) && !element.closest("details:not([open])")) await draw(element);
  }
}

const pageOfChart = (element) => element.closest("main > .page");
const cohortOf = (element) => pageOfChart(element).querySelector("[data-picker]")?.value ?? "";
const hasSignal = (view, name) => name in view.getState({ signals: (known) => known === name }).signals;

async function chooseCohort(view, cohort) {
  if (view && hasSignal(view, "cohort")) await view.signal("cohort", cohort).runAsync();
}

function choose(page, cohort) {
  for (const picker of page.querySelectorAll("[data-picker]")) picker.value = cohort;
  for (const [element, view] of views) if (pageOfChart(element) === page) chooseCohort(view, cohort);
}

// A finger does not hover: a tap shows what hovering would.
function showOnTap(element) {
  element.addEventListener("click", ({ target, clientX, clientY }) => {
    target.dispatchEvent(new PointerEvent("pointermove", { bubbles: true, clientX, clientY }));
  });
}

// A click on a cohort, in a legend or in the picture, chooses it for the whole page; a second one, all cohorts.
function listenToClicks(element, view) {
  view.addEventListener("click", (_, item) => {
    const picker = pageOfChart(element).querySelector("[data-picker]");
    const clicked = item?.datum?.cohort ?? item?.datum?.value;
    if (![...(picker?.options ?? [])].some((option) => option.value === clicked)) return;
    choose(pageOfChart(element), picker.value === clicked ? "" : clicked);
  });
}

// The rows a chart draws, without what is only written into it; a chart of several sets of rows has them all.
function writeCsv(rows) {
  const columns = [...new Set(rows.flatMap(Object.keys))].filter((name) => !/_text$|^(cell|text|rank|shown|edge)$/.test(name));
  const write = (value) => (/[",\n]/.test(value ?? "") ? `"${String(value).replaceAll('"', '""')}"` : (value ?? ""));
  return [columns, ...rows.map((row) => columns.map((name) => row[name]))].map((row) => row.map(write).join(",")).join("\n");
}

for (const link of document.querySelectorAll("[data-csv]")) {
  const id = link.hash.slice(1);
  link.hidden = false;
  link.addEventListener("click", () => {
    link.href = `data:text/csv;charset=utf-8,${encodeURIComponent(writeCsv(specs[id].datasets.flatMap(listRows)))}`;
  });
}
for (const picker of document.querySelectorAll("[data-picker]")) {
  picker.closest(".picker").hidden = false;
  picker.addEventListener("change", () => choose(picker.closest("main > .page"), picker.value));
}
// What is folded has no width to draw in, so it waits until it is opened.
for (const fold of document.querySelectorAll("main details")) {
  fold.addEventListener("toggle", () => fold.open && drawAll(fold));
}
document.addEventListener("pageshown", (event) => drawAll(event.detail));
window.addEventListener("beforeprint", () => drawAll(document));
await drawAll(document.querySelector("main > .page:not([hidden])"));
