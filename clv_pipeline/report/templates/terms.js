// Definitions: a term shows its own on hover, on focus (keyboard) and on a tap; Escape, scrolling and leaving hide it.
const tip = document.createElement("div");
tip.setAttribute("role", "tooltip");
tip.hidden = true;
document.body.append(tip);
const hideTip = () => (tip.hidden = true);

function showTip(term, definition) {
  tip.textContent = definition;
  tip.hidden = false;
  const at = term.getBoundingClientRect();
  const left = Math.min(at.left, document.documentElement.clientWidth - tip.offsetWidth - 8);
  const above = at.bottom + tip.offsetHeight + 8 > window.innerHeight;
  tip.style.left = `${Math.max(8, left)}px`;
  tip.style.top = `${above ? at.top - tip.offsetHeight - 4 : at.bottom + 4}px`;
}

for (const term of document.querySelectorAll("main abbr[title]")) {
  const definition = term.title;
  // In the heading of a column that sorts, the button has the focus already.
  const host = term.closest("button") ?? term;
  if (host === term) term.tabIndex = 0;
  term.removeAttribute("title");
  host.setAttribute("aria-description", definition);
  for (const event of ["focus", "click"]) host.addEventListener(event, () => showTip(term, definition));
  term.addEventListener("mouseenter", () => showTip(term, definition));
  term.addEventListener("mouseleave", hideTip);
  host.addEventListener("blur", hideTip);
}
document.addEventListener("keydown", (event) => event.key === "Escape" && hideTip());
document.addEventListener("pointerdown", (event) => event.target.closest("abbr") || hideTip());
document.addEventListener("scroll", hideTip, { passive: true });
