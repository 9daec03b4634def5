const read = (id) => JSON.parse(document.getElementById(id).textContent);
const config = read("theme");
for (const [id, spec] of Object.entries(read("charts"))) {
  const element = document.getElementById(id);
  window.vegaEmbed(element, spec, { mode: "vega-lite", renderer: "svg", actions: false, config }).catch((error) => {
    element.classList.add("failed");
    element.textContent = "This chart could not be drawn; the figures are in the table.";
    console.error(id, error);
  });
}
