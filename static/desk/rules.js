// The editor of an earning rule: fields that come and go, words as tokens, and what it all means while one edits.
// Without script it is a plain form. docs/rules.md.
"use strict";
(() => {
  const form = document.getElementById("rule-builder");
  if (!form) return;
  const { tokens, read, words } = window.segmentControls;
  const settings = read("segment-settings");
  const part = (name) => form.querySelector(`[data-rule="${name}"]`);

  // --- Fields of use only where something else is chosen: "gives=fixed,per_item", "gives!=coupon" -------------------
  const value = (name) => form.elements[name]?.value ?? "";
  function holds(when) {
    const [, name, not, list] = when.match(/^(\w+)(!?)=(.*)$/);
    const told = name === "trigger" && value(name).startsWith("custom:") ? ["custom:", value(name)] : [value(name)];
    return list.split(",").some((one) => told.includes(one)) !== Boolean(not);
  }
  const ONLY_PURCHASES = ["per_amount", "per_item", "multiplier", "cashback"];
  function showWhatIsOfUse() {
    const gives = form.elements.gives; // an offer has none
    for (const option of gives?.options ?? []) option.hidden = option.disabled = value("trigger") !== "purchase" && ONLY_PURCHASES.includes(option.value);
    if (gives?.selectedOptions[0]?.disabled) gives.value = [...gives.options].find((option) => !option.disabled)?.value ?? "";
    for (const box of form.querySelectorAll("[data-when]")) box.hidden = !holds(box.dataset.when);
    const kind = form.querySelector("[data-field=custom_kind]");
    if (kind) kind.hidden = value("trigger") !== "custom:";
  }

  // --- Words and choices as tokens ----------------------------------------------------------------------------------
  function labelled(field) {
    return form.querySelector(`label[for="${field.id}"]`)?.textContent.trim() ?? field.name;
  }
  for (const area of form.querySelectorAll("textarea[data-tokens]")) {
    const source = { choices: [], free: true, trait: area.name, filter: "" };
    const now = area.value.split("\n").map((word) => word.trim()).filter(Boolean);
    area.after(tokens(source, now, (chosen) => { area.value = chosen.join("\n") + (chosen.length === 1 ? "\n" : ""); changed(); }, labelled(area)));
    area.value = now.join("\n") + (now.length === 1 ? "\n" : ""); // one word with a comma in it stays one
    area.hidden = true;
  }
  for (const list of form.querySelectorAll("select[multiple][data-tokens]")) {
    const choices = [...list.options].map((option) => ({ value: option.value, label: option.textContent }));
    const now = [...list.selectedOptions].map((option) => option.value);
    list.after(tokens({ choices, free: false, trait: list.name, filter: "" }, now, (chosen) => {
      for (const option of list.options) option.selected = chosen.includes(option.value);
      changed();
    }, labelled(list)));
    list.hidden = true;
  }

  // --- What a folded section holds, in its heading ------------------------------------------------------------------
  function tellFolded() {
    for (const fold of form.querySelectorAll(".rule-fold")) {
      const told = [];
      for (const box of fold.querySelectorAll(".rule-field:not([hidden])")) {
        const label = box.querySelector(".rule-label, .desk-check span")?.textContent.trim();
        const field = box.querySelector("input:not([type=checkbox]):not([role]), select, textarea");
        const ticked = box.querySelector("input[type=checkbox]:checked");
        if (ticked) { if (box.dataset.usual !== "True") told.push(label); }
        else if (field?.multiple ? field.selectedOptions.length : field?.value.trim() && field.value !== box.dataset.usual) told.push(label);
      }
      fold.querySelector("[data-told]").textContent = told.join(" · ");
    }
  }

  // --- What it means ------------------------------------------------------------------------------------------------
  let timer = 0;
  let asked = 0;
  let touched = false; // an empty form is not wrong yet
  function changed() {
    touched = true;
    showWhatIsOfUse();
    tellFolded();
    clearTimeout(timer);
    timer = setTimeout(ask, 300);
  }
  async function post(url) {
    const answer = await fetch(url, { method: "POST", body: new FormData(form), headers: { "X-Requested-With": "fetch" } });
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.json();
  }
  async function ask() {
    const mine = ++asked;
    part("estimate").classList.add("rule-busy");
    try {
      const said = await post(settings.preview_url);
      if (mine !== asked) return;
      show(said);
      if (said.problems.length) return;
      const estimate = await post(settings.estimate_url);
      if (mine !== asked) return;
      part("estimate").textContent = estimate.headline;
      part("basis").textContent = estimate.basis;
      part("bar").textContent = estimate.headline;
    } catch {
      if (mine === asked) part("problems").textContent = words.offline;
    } finally {
      if (mine === asked) part("estimate").classList.remove("rule-busy");
    }
  }
  function show(said) {
    if (said.sentences.length) {
      part("sentences").replaceChildren(...said.sentences.map(({ language, text }) => {
        const line = document.createElement("p");
        line.className = "seg-sentence";
        line.lang = language;
        line.textContent = text;
        return line;
      }));
    }
    const tell = touched || said.sentences.length;
    part("problems").textContent = tell ? said.problems.map((problem) => problem.sentence).join(" ") : "";
    if (said.problems.length) {
      part("estimate").textContent = "–";
      part("basis").textContent = "";
      part("bar").textContent = "";
    }
    for (const box of form.querySelectorAll(".rule-wrong")) { // what was wrong when it was saved, and is mended
      if (said.problems.some((problem) => problem.field === box.dataset.field)) continue;
      box.classList.remove("rule-wrong");
      box.querySelector(".rule-problem").textContent = "";
    }
  }

  form.classList.add("rule-live");
  form.addEventListener("input", changed);
  form.addEventListener("change", changed);
  showWhatIsOfUse();
  tellFolded();
  form.querySelector(".rule-wrong .desk-input:not([hidden])")?.focus();
  ask();
})();
