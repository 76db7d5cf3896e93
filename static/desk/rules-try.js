// Trying a basket: more lines, and no basket where no purchase is tried.
"use strict";
(() => {
  const form = document.getElementById("rule-try");
  if (!form) return;
  const body = form.querySelector("#try-lines tbody");
  const more = document.getElementById("try-more");
  more.hidden = false;
  more.addEventListener("click", () => {
    const row = body.rows[0].cloneNode(true);
    for (const input of row.querySelectorAll("input")) input.value = input.name === "quantity" ? "1" : "";
    body.append(row);
    row.querySelector("input").focus();
  });
  const trigger = form.elements.trigger;
  const show = () => {
    const bought = trigger.value === "purchase";
    for (const box of form.querySelectorAll("[data-purchase]")) box.hidden = !bought;
    form.querySelector("[data-field=event_data]").hidden = bought;
  };
  trigger.addEventListener("change", show);
  show();
})();
