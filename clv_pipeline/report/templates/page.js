const read = (id) => JSON.parse(document.getElementById(id).textContent);
const config = read("theme");
const options = { mode: "vega-lite", renderer: "svg", actions: false, config };
// One after the other, so that the first charts show while the last are still being drawn.
for (const [id, spec] of Object.entries(read("charts"))) {
  const element = document.getElementById(id);
  try {
    await window.vegaEmbed(element, spec, options);
  } catch (error) {
    element.classList.add("failed");
    element.textContent = "This chart could not be drawn; the figures are in the table.";
    console.error(id, error);
  }
}
