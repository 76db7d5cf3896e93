// The steps of a broadcast: parts that are of use only with some choice, and versions only when they are asked for.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const form = document.getElementById("cast-form");
  if (!form) return;
  const parts = [...form.querySelectorAll("[data-use]")];
  const when = form.elements.when;
  const show = () => {
    for (const part of parts) part.hidden = !part.dataset.use.split(" ").includes(when.value);
  };
  if (when) {
    when.addEventListener("change", show);
    show();
  }
  const more = document.getElementById("cast-more");
  if (!more) return;
  const test = parts.pop();
  const isFilled = (part) => part.querySelector("select").value !== "" || part.querySelector(".errorlist, [aria-invalid=true]");
  let shown = 0;
  const open = () => {
    parts.forEach((part, place) => { part.hidden = place >= shown; });
    test.hidden = shown === 0;
    more.hidden = shown === parts.length;
  };
  parts.forEach((part, place) => { if (isFilled(part)) shown = place + 1; });
  more.addEventListener("click", () => {
    shown += 1;
    open();
    parts[shown - 1].querySelector("select, input").focus();
  });
  open();
});
