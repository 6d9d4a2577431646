// The claims' filter, the search in Persian, and boxes that scroll: small things for these pages.
"use strict";

const local = (number) => number.toLocaleString(document.documentElement.lang);
const folded = (text) => text.toLowerCase().replaceAll("ي", "ی").replaceAll("ك", "ک");

function filterClaims(box) {
  const rows = [...box.querySelectorAll("tbody tr")];
  const bar = document.createElement("div");
  bar.className = "claims-filter";
  bar.setAttribute("role", "search");
  const field = Object.assign(document.createElement("input"), { type: "search", placeholder: box.dataset.search });
  field.setAttribute("aria-label", box.dataset.search);
  const count = document.createElement("span");
  count.setAttribute("role", "status");
  let chosen = "";

  const show = () => {
    const words = folded(field.value).split(/\s+/);
    for (const row of rows) {
      const text = folded(row.textContent);
      row.hidden = (chosen && row.dataset.verdict !== chosen) || !words.every((word) => text.includes(word));
    }
    count.textContent = `${local(rows.filter((row) => !row.hidden).length)} ${box.dataset.shown}`;
    for (const button of bar.querySelectorAll("button")) button.setAttribute("aria-pressed", button.value === chosen);
  };
  const choices = new Map([["", box.dataset.all]]);
  for (const row of rows) choices.set(row.dataset.verdict, row.querySelector(".verdict").lastChild.textContent.trim());
  bar.append(field);
  for (const [value, label] of choices) {
    const number = rows.filter((row) => !value || row.dataset.verdict === value).length;
    const button = Object.assign(document.createElement("button"), { value, textContent: `${label} ${local(number)}` });
    button.addEventListener("click", () => ((chosen = value), show()));
    bar.append(button);
  }
  bar.append(count);
  field.addEventListener("input", show);
  box.prepend(bar);
  show();
}

// Arabic keyboards write two letters that Persian words do not have; the article writes one word
// without its half-space.
function searchInPersian() {
  const { ngettext } = Documentation;
  Documentation.ngettext = (one, many, count) => ngettext(one, many, count).replace("${resultCount}", local(count));
  const perform = Search.performSearch;
  Search.performSearch = (query) =>
    perform(query.replaceAll("ي", "ی").replaceAll("ك", "ک").replaceAll("بروز", "به\u200cروز"));
}

document.addEventListener("DOMContentLoaded", () => {
  if (typeof Search !== "undefined") searchInPersian(); // before Sphinx reads the query
  document.querySelectorAll(".claims").forEach(filterClaims);
  addEventListener("message", ({ data }) => {
    if (data?.unitHeight) document.querySelector("iframe.unit").style.height = `${data.unitHeight}px`;
  });
  // Who has only a keyboard must be able to reach what scrolls.
  for (const box of document.querySelectorAll("div.math, .pst-scrollable-table-container, .text_html"))
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
});
