// Charts are drawn when their page is shown for the first time, and before printing.
const read = (id) => JSON.parse(document.getElementById(id).textContent);
const specs = read("charts");
const options = { mode: "vega-lite", renderer: "svg", actions: false, config: read("theme") };
const views = new Map();

async function draw(element) {
  views.set(element, null);
  try {
    const { view } = await window.vegaEmbed(element, specs[element.id], options);
    views.set(element, view);
    listenToLegend(element, view);
    await chooseCohort(view, cohortOf(element));
  } catch (error) {
    element.classList.add("failed");
    element.textContent = "This chart could not be drawn; the figures are in the table.";
    console.error(element.id, error);
  }
}

// One after the other, so that the first charts show while the last are still being drawn.
async function drawAll(page) {
  for (const element of page.querySelectorAll("[data-chart]")) if (!views.has(element)) await draw(element);
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

// A click on an entry of a legend chooses its cohort for the whole page; a second one, all cohorts.
function listenToLegend(element, view) {
  if (!hasSignal(view, "legend")) return;
  view.addSignalListener("legend", (_, picked) => {
    const chosen = picked.cohort?.[0] ?? "";
    const page = pageOfChart(element);
    const known = [...(page.querySelector("[data-picker]")?.options ?? [])].some((option) => option.value === chosen);
    if (known) choose(page, chosen);
  });
}

for (const picker of document.querySelectorAll("[data-picker]")) {
  picker.closest(".picker").hidden = false;
  picker.addEventListener("change", () => choose(picker.closest("main > .page"), picker.value));
}
document.addEventListener("pageshown", (event) => drawAll(event.detail));
window.addEventListener("beforeprint", () => drawAll(document));
await drawAll(document.querySelector("main > .page:not([hidden])"));
