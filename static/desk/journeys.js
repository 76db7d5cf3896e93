// The editor of a journey. Without it the definition is edited as JSON; with it, as a list of steps with branches.
"use strict";
(() => {
  const form = document.getElementById("journey");
  const area = form?.querySelector("[name=definition]");
  if (!form || !area) return;
  const { make, select, labelled, field, set, words, catalogue, read } = window.journeyFields;
  const settings = read("journey-settings");
  const part = (name) => form.querySelector(`[data-journey="${name}"]`);
  const kinds = Object.fromEntries(catalogue.steps.map((one) => [one.kind, one]));
  let definition;
  try { definition = JSON.parse(area.value); } catch { return; }
  if (!definition || typeof definition !== "object") return;
  definition.steps ||= [];
  let told = { problems: [], steps: {} };
  let timer = 0;
  let asked = 0;

  // --- Looking at it ---
  function changed() {
    area.value = JSON.stringify(definition, null, 1);
    clearTimeout(timer);
    timer = setTimeout(look, 300);
  }

  async function look() {
    const mine = ++asked;
    try {
      const answer = await fetch(settings.preview, {
        method: "POST", body: JSON.stringify(definition),
        headers: { "Content-Type": "application/json", "X-CSRFToken": form.querySelector("[name=csrfmiddlewaretoken]").value },
      });
      if (!answer.ok) throw new Error(answer.status);
      const found = await answer.json();
      if (mine !== asked) return;
      told = found;
      show();
    } catch { if (mine === asked) part("said").textContent = words.offline; }
  }

  // What the server said, beside what it is about; the fields are left alone, so nobody loses the place.
  function show() {
    const shown = new Set();
    form.querySelectorAll("[data-path]").forEach((element) => {
      const path = element.dataset.path;
      const own = told.problems.filter((one) => one.path === path || (one.path.startsWith(`${path}/`) && !deeper(one.path, path)));
      own.forEach((one) => shown.add(one));
      element.classList.toggle("jou-wrong", own.length > 0);
      const line = element.querySelector(":scope > .jou-problem");
      if (line) line.textContent = own.map((one) => one.sentence).join(" ");
      const said = element.querySelector(":scope > .jou-head .jou-words");
      if (said) said.textContent = told.steps[element.dataset.step] || "";
    });
    const rest = told.problems.filter((one) => !shown.has(one));
    part("problems").replaceChildren(...rest.map((one) => make("li", {}, one.sentence)));
    if (told.svg) part("picture").innerHTML = told.svg; // made by the server, which escapes every word
    if (told.sentences?.length) part("sentences").replaceChildren(...told.sentences.map((text) => make("li", {}, text)));
  }

  // Whether a problem stands in a step further in.
  const deeper = (path, own) => /\/(yes|no|then|else|steps)\/\d/.test(path.slice(own.length));

  // --- Steps ---
  const everyStep = (list = definition.steps) => list.flatMap((step) => [step, ...branches(step).flatMap((one) => everyStep(one.list))]);

  function branches(step) {
    const lists = { if: ["yes", "no"], wait_for: ["then", "else"] }[step.kind];
    if (lists) return lists.map((name) => ({ name: words[name], list: (step[name] ||= []), path: name }));
    if (step.kind === "split") return (step.ways ||= [{ share: 50, steps: [] }, { share: 50, steps: [] }]).map((way, n) => ({ name: words.way.replace("%(n)s", n + 1), list: (way.steps ||= []), path: `ways/${n}/steps`, way }));
    return [];
  }

  function newId() {
    const used = new Set(everyStep().map((step) => step.id));
    let n = used.size + 1;
    while (used.has(`s${n}`)) n += 1;
    return `s${n}`;
  }

  function newStep(kind) {
    const step = { id: newId(), kind };
    kinds[kind].fields.forEach((one) => { if (one.usual !== null && one.usual !== undefined) step[one.name] = one.usual; });
    return step;
  }

  function tool(icon, label, act, off) {
    return make("button", { type: "button", class: "seg-tool", title: label, "aria-label": label, disabled: off, onclick: act },
      make("span", { class: "material-symbols-outlined", "aria-hidden": "true" }, icon));
  }

  function adder(list, place) {
    const box = select(catalogue.steps.map((one) => [one.kind, one.label]), null, (kind) => {
      if (!kind) return;
      const step = newStep(kind);
      list.splice(place, 0, step);
      draw(step.id, words.added);
    }, { empty: `＋ ${words.add}` });
    box.setAttribute("aria-label", words.add);
    return make("div", { class: "jou-add" }, box);
  }

  function card(step, n, list, path) {
    const here = `${path}/${n}`;
    const kind = kinds[step.kind];
    const move = (by) => { list.splice(n, 1); list.splice(n + by, 0, step); draw(step.id, words.moved); };
    const head = make("div", { class: "jou-head" },
      make("span", { class: "desk-grow" }, make("span", { class: "jou-kind" }, kind?.label || step.kind), make("span", { class: "jou-words" }, told.steps[step.id] || "")),
      make("span", { class: "seg-tools" },
        tool("arrow_upward", words.up, () => move(-1), n === 0),
        tool("arrow_downward", words.down, () => move(1), n === list.length - 1),
        tool("close", words.remove, () => { list.splice(n, 1); draw(list[Math.max(0, n - 1)]?.id, words.removed); })));
    const redraw = (back) => draw(step.id, "", back);
    const stepChoices = () => everyStep().filter((one) => one !== step).map((one) => [one.id, told.steps[one.id] || `${kinds[one.kind]?.label || one.kind} (${one.id})`]);
    const fields = make("div", { class: "jou-fields" }, ...(kind?.fields || []).map((one) => field(one, step, changed, redraw, stepChoices)));
    const inner = branches(step).map((one, m) => make("div", { class: "jou-branch" },
      make("div", { class: "jou-fields" }, make("span", { class: "jou-branch-name" }, one.name),
        one.way ? field({ type: "number", name: "share", label: "%", least: 1, most: 99 }, one.way, changed) : null,
        one.way && step.ways.length > 2 ? tool("close", words.remove, () => { step.ways.splice(m, 1); draw(step.id, words.removed); }) : null),
      stepList(one.list, `${here}/${one.path}`)));
    if (step.kind === "split" && step.ways.length < 6) {
      inner.push(make("button", { type: "button", class: "seg-button", onclick: () => { step.ways.push({ share: 10, steps: [] }); draw(step.id, words.added); } }, words.add_way));
    }
    return make("article", { class: "jou-step", "data-path": here, "data-step": step.id, tabindex: "-1" }, head, fields,
      make("p", { class: "jou-problem" }), inner.length ? make("div", { class: "jou-branches" }, ...inner) : null);
  }

  function stepList(list, path) {
    return make("div", { class: "jou-list" }, ...list.map((step, n) => card(step, n, list, path)),
      list.length ? null : make("p", { class: "desk-muted" }, words.empty), adder(list, list.length));
  }

  // --- The trigger and the rules ---
  function drawTrigger() {
    const trigger = (definition.trigger ||= { kind: "joined" });
    const kind = catalogue.triggers.find((one) => one.kind === trigger.kind);
    const chosen = select(catalogue.triggers.map((one) => [one.kind, one.label]), trigger.kind, (value) => {
      definition.trigger = { kind: value };
      catalogue.triggers.find((one) => one.kind === value).fields.forEach((one) => { if (one.usual !== null && one.usual !== undefined) definition.trigger[one.name] = one.usual; });
      changed();
      drawTrigger();
    }, { empty: null });
    chosen.setAttribute("aria-labelledby", "jou-in");
    const box = make("div", { "data-path": "/trigger" }, chosen,
      make("div", { class: "jou-fields" }, ...(kind?.fields || []).map((one) => field(one, trigger, changed, drawTrigger))), make("p", { class: "jou-problem" }));
    const audience = make("div", { class: "desk-more", "data-path": "/audience" },
      field({ type: "condition", name: "audience", label: settings.only, empty: words.none }, definition, changed, drawTrigger), make("p", { class: "jou-problem" }));
    part("trigger").replaceChildren(box, audience);
  }

  function drawRules() {
    const again = (definition.again ||= { rule: "never" });
    const rule = select(catalogue.again, again.rule, (value) => {
      definition.again = value === "after" ? { rule: value, days: 30 } : { rule: value };
      changed();
      drawRules();
    }, { empty: null });
    const most = (name) => field({ type: "number", name, label: settings[name], least: 1, most: 1e9 }, definition, changed);
    part("rules").replaceChildren(
      make("div", { "data-path": "/goal", class: "jou-rule" }, field({ type: "pattern", name: "goal", label: settings.goal }, definition, changed, drawRules), make("p", { class: "jou-problem" })),
      make("div", { "data-path": "/again", class: "jou-fields jou-rule" }, labelled(settings.again, rule),
        again.rule === "after" ? field({ type: "number", name: "days", label: settings.days, least: 1, most: 3660 }, again, changed) : null, make("p", { class: "jou-problem" })),
      make("div", { class: "jou-fields" }, most("catch_up_hours"), most("entry_limit"), most("cap_points"), most("cap_coupons"),
        field({ type: "money", name: "cap_cost_minor", label: settings.cap_cost_minor }, definition, changed)),
      make("div", { class: "jou-fields jou-rule" }, field({ type: "check", name: "by_hand", label: settings.by_hand }, definition, changed)));
  }

  function draw(focus, said = "", back = "") {
    part("steps").replaceChildren(stepList(definition.steps, "/steps"));
    changed();
    show();
    const card = focus && part("steps").querySelector(`[data-step="${CSS.escape(focus)}"]`);
    if (card) (back && card.querySelector(back) || card).focus({ preventScroll: false });
    part("said").textContent = said;
  }

  form.classList.add("jou-live");
  drawTrigger();
  drawRules();
  draw();
  if (!settings.may) form.querySelectorAll(".jou-script :is(input, select, button, textarea)").forEach((one) => { one.disabled = true; });
  clearTimeout(timer);
  look();
})();
