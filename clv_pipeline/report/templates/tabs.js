// Pages as tabs. Without this script all pages stand below each other, and every link still works.
const pages = [...document.querySelectorAll("main > .page")];
const tabs = [...document.querySelectorAll("nav a")];
const bar = document.querySelector("nav");
// Where the bar of tabs rests; the bar itself is sticky and would say where it is now.
const topOfTabs = () => document.querySelector("main").offsetTop - bar.offsetHeight;
// Hidden text can still be found by the browser's search, which then shows its page.
const conceal = (page, isHidden) => (isHidden ? page.setAttribute("hidden", "until-found") : page.removeAttribute("hidden"));
const pageOf = (element) => element?.closest("main > .page");

function showPage(page) {
  for (const [index, other] of pages.entries()) {
    const isShown = other === page;
    conceal(other, !isShown);
    tabs[index].setAttribute("aria-selected", isShown);
    tabs[index].tabIndex = isShown ? 0 : -1;
    if (isShown) bar.scrollLeft = tabs[index].offsetLeft - bar.clientWidth / 2;
  }
  document.dispatchEvent(new CustomEvent("pageshown", { detail: page }));
}

// The address says what is shown: a page, or something on one of them.
function followAddress() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const page = pageOf(target) ?? pages[0];
  showPage(page);
  if (target === page) window.scrollTo(0, Math.min(window.scrollY, topOfTabs()));
  else if (page.contains(target)) target.scrollIntoView();
}

function chooseTab(tab) {
  if (location.hash !== tab.hash) history.pushState(null, "", tab.hash);
  showPage(pages[tabs.indexOf(tab)]);
  window.scrollTo(0, Math.min(window.scrollY, topOfTabs()));
}

bar.querySelector("ul").setAttribute("role", "tablist");
for (const [index, tab] of tabs.entries()) {
  tab.parentElement.setAttribute("role", "presentation");
  tab.setAttribute("role", "tab");
  tab.id = `tab-${pages[index].id}`;
  tab.setAttribute("aria-controls", pages[index].id);
  pages[index].setAttribute("role", "tabpanel");
  tab.addEventListener("click", (event) => {
    event.preventDefault();
    chooseTab(tab);
  });
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (event.key === " ") chooseTab(tab);
    else if (step === undefined) return;
    else {
      const next = tabs[(step + tabs.length) % tabs.length];
      next.focus();
      chooseTab(next);
    }
    event.preventDefault();
  });
}
for (const page of pages) page.addEventListener("beforematch", () => showPage(page));
window.addEventListener("hashchange", followAddress);
window.addEventListener("popstate", followAddress);
window.addEventListener("beforeprint", () => pages.forEach((page) => conceal(page, false)));
window.addEventListener("afterprint", followAddress);
followAddress();
