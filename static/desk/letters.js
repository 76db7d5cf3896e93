// The editor of messages: blocks that are edited in place and kept as JSON in the form's `content`. The server says what
// is wrong with them and shows what a reader gets. docs/templates.md.
"use strict";
(() => {
  const form = document.getElementById("letter");
  if (!form) return;
  const { el, icon, select, fieldMenu, texts, shapes, words, settings, kinds, nextId, token } = window.letterParts;
  const stored = document.getElementById("id_content");
  const root = document.getElementById("letter-blocks");
  const part = (name) => form.querySelector(`[data-letter="${name}"]`);
  const state = { write: window.innerWidth < 1300 ? settings.language : "", language: settings.language, width: "390", dark: "", form: "html", member: null };
  let content;
  try { content = JSON.parse(stored.value); } catch { return; } // what is no JSON is mended as text
  if (!content || typeof content !== "object") return;
  content.blocks = Array.isArray(content.blocks) ? content.blocks : [];
  document.body.classList.add("let-on");

  // --- The tree ----------------------------------------------------------------------------------------------------
  const keys = new WeakMap();
  const keyOf = (block) => { if (!keys.has(block)) keys.set(block, nextId("block")); return keys.get(block); };
  const fresh = (name) => ({ type: name, ...(name === "if" ? { blocks: [] } : {}) });
  let dirty = false;
  let timer = 0;
  function changed() {
    dirty = true;
    stored.value = JSON.stringify(content);
    clearTimeout(timer);
    timer = setTimeout(ask, 350);
  }
  const announce = (text) => { part("said").textContent = text; };
  function focusOn(block, control) {
    root.querySelector(`[data-control="${keyOf(block)}:${control}"]`)?.focus();
  }
  function move(list, at, step) {
    const to = at + step;
    if (to < 0 || to >= list.length) return;
    const [block] = list.splice(at, 1);
    list.splice(to, 0, block);
    draw(); changed(); announce(words.moved);
    focusOn(block, step < 0 ? "up" : "down");
  }
  function remove(list, at) {
    list.splice(at, 1);
    draw(); changed(); announce(words.removed);
    const next = list[at] ?? list[at - 1];
    if (next) focusOn(next, "remove");
    else root.querySelector(".let-adder summary")?.focus();
  }
  function copy(list, at) {
    const made = structuredClone(list[at]);
    list.splice(at + 1, 0, made);
    draw(); changed(); focusOn(made, "copy");
  }

  // --- Drawing -----------------------------------------------------------------------------------------------------
  function tool(block, name, sign, label, act, off = false) {
    return el("button", { type: "button", class: "seg-tool", "data-control": `${keyOf(block)}:${name}`, "aria-label": label, title: label, disabled: off, onclick: act }, icon(sign));
  }
  function adder(list, at, depth, label = words.add) {
    const offered = [...kinds.values()].filter((kind) => (depth < settings.depth || kind.name !== "if") && (kind.name !== "snippet" || settings.snippets.length));
    const menu = el("details", { class: "let-menu let-adder", onkeydown: (event) => { if (event.key === "Escape") { menu.open = false; menu.firstChild.focus(); } } },
      el("summary", { class: "seg-button" }, icon("add"), label),
      el("div", { class: "let-drop let-kinds" }, offered.map((kind) =>
        el("button", { type: "button", onclick: () => {
          const made = fresh(kind.name);
          list.splice(at, 0, made);
          draw(); changed();
          (root.querySelector(`[data-block="${keyOf(made)}"] :is(input, textarea, select)`) ?? root.querySelector(`[data-control="${keyOf(made)}:up"]`))?.focus();
        } }, icon(kind.icon), kind.label))));
    return menu;
  }
  function drawPart(block, one, path, depth) {
    if (one.only_if && block[one.only_if[0]] !== one.only_if[1]) return null;
    if (one.shape === "blocks") return el("div", { class: "let-inside" }, drawList(block.blocks ??= [], [...path, "blocks"], depth + 1));
    const label = el("span", { class: "let-label" }, one.required || one.shape === "choice" || one.help ? one.label : `${one.label} (${words.optional})`);
    const field = ["line", "words", "sms"].includes(one.shape) ? texts(block, one, changed, state) : shapes[one.shape]?.(block, one, changed, draw);
    if (!field) return null;
    return el("div", { class: ["line", "words", "sms"].includes(one.shape) ? "let-part" : "let-part let-short" }, label, field,
      el("span", { class: "seg-problem", "data-problem": one.name }),
      one.help ? el("span", { class: "desk-muted let-help" }, one.help) : null);
  }
  function drawBlock(list, at, path, depth) {
    const block = list[at];
    const kind = kinds.get(block.type);
    const parts = (kind?.parts ?? []).map((one) => drawPart(block, one, path, depth));
    const box = el("section", { class: `let-block let-type-${block.type}`, "data-block": keyOf(block), "data-at": path.join("."), "aria-label": kind?.label ?? block.type },
      el("header", { class: "let-head" }, icon(kind?.icon ?? "help"), el("strong", {}, kind?.label ?? block.type),
        el("span", { class: "seg-tools" },
          tool(block, "up", "arrow_upward", words.up, () => move(list, at, -1), at === 0),
          tool(block, "down", "arrow_downward", words.down, () => move(list, at, 1), at === list.length - 1),
          tool(block, "copy", "content_copy", words.copy, () => copy(list, at)),
          tool(block, "remove", "delete", words.remove, () => remove(list, at)))),
      parts, el("span", { class: "seg-problem", "data-problem": "" }));
    box.addEventListener("keydown", (event) => {
      if (!event.altKey || !["ArrowUp", "ArrowDown"].includes(event.key)) return;
      event.preventDefault(); event.stopPropagation();
      move(list, at, event.key === "ArrowUp" ? -1 : 1);
    });
    return box;
  }
  function drawList(list, path, depth) {
    return [
      ...list.map((_block, at) => drawBlock(list, at, [...path, at], depth)),
      list.length ? null : el("p", { class: "desk-muted" }, words.empty),
      adder(list, list.length, depth, depth > 1 ? words.add_inside : words.add),
    ];
  }
  const HEADS = [["subject", "line"], ["preheader", "line"], ["sms", "sms"]];
  function draw() {
    const heads = settings.only_blocks ? [] : HEADS.map(([name, shape]) =>
      el("div", { class: "let-part", "data-at": name }, el("span", { class: "let-label" }, settings.heads[name]),
        texts(content, { name, shape, label: settings.heads[name] }, changed, state)));
    root.replaceChildren(...[...heads, el("p", { class: "desk-muted let-hint" }, words.hint), ...drawList(content.blocks, ["blocks"], 1)].filter(Boolean));
    for (const button of form.querySelectorAll("[data-write]")) button.setAttribute("aria-pressed", String(button.dataset.write === state.write));
    mark();
  }

  // --- What is wrong -----------------------------------------------------------------------------------------------
  let problems = [];
  function mark() {
    root.querySelectorAll(".seg-problem").forEach((slot) => { slot.textContent = ""; });
    root.querySelectorAll(".let-wrong").forEach((box) => box.classList.remove("let-wrong"));
    const loose = [];
    for (const problem of problems) {
      const steps = problem.path.map(String);
      const last = steps.length && !/^\d+$/.test(steps.at(-1)) && steps.at(-1) !== "blocks" ? steps.at(-1) : "";
      const box = root.querySelector(`[data-at="${CSS.escape(steps.length === 1 ? steps[0] : (last ? steps.slice(0, -1) : steps).join("."))}"]`);
      const slot = box?.querySelector(`[data-problem="${last}:${problem.language}"]`) ?? box?.querySelector(`[data-problem="${last}"]`) ?? box?.querySelector('[data-problem=""]');
      box?.classList.add("let-wrong");
      if (slot) slot.textContent = problem.sentence;
      else loose.push(problem.sentence);
    }
    part("problems").replaceChildren(...loose.map((text) => el("li", {}, text)));
  }

  // --- What a reader gets ------------------------------------------------------------------------------------------
  const frame = form.querySelector("[data-letter=sheet] iframe");
  let asked = 0;
  let last = null;
  async function ask() {
    const mine = ++asked;
    const kind = document.getElementById("id_kind")?.value ?? "marketing";
    const body = JSON.stringify({ content, kind, language: state.language, member: state.member, dark: Boolean(state.dark), only_blocks: settings.only_blocks });
    let answer;
    try {
      const response = await fetch(settings.preview_url, { method: "POST", body, headers: { "X-CSRFToken": token(), "Content-Type": "application/json" } });
      if (!response.ok) throw new Error(response.status);
      answer = await response.json();
    } catch { part("notes").textContent = words.offline; return; }
    if (mine !== asked) return;
    problems = answer.problems;
    mark();
    part("notes").textContent = answer.notes.join(" ");
    if (answer.html !== undefined) { last = answer; show(); }
  }
  function show() {
    for (const name of ["language", "width", "dark", "form"])
      part(name)?.querySelectorAll("button").forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.value === state[name])));
    const sheet = part("sheet");
    const width = Number(state.width);
    sheet.style.setProperty("--let-width", `${width}px`);
    sheet.style.setProperty("--let-zoom", String(Math.min(1, (sheet.parentElement.clientWidth - 42) / width)));
    if (!last) return;
    const plain = { text: last.text, sms: last.sms ? `${last.sms}\n\n${last.sms_size}` : last.sms_size }[state.form];
    sheet.hidden = plain !== undefined;
    part("text").hidden = plain === undefined;
    part("text").textContent = plain ?? "";
    part("envelope").hidden = settings.only_blocks || ["sms", "inapp"].includes(state.form);
    part("subject").textContent = last.subject;
    part("preheader").textContent = last.preheader;
    const page = state.form === "inapp" ? last.inapp : last.html;
    if (frame.srcdoc !== page) frame.srcdoc = page;
  }
  function people() {
    const box = part("as");
    const list = el("ul", { class: "let-people", hidden: true });
    const set = (id, name) => { state.member = id; find.value = name; list.hidden = true; ask(); };
    let waiting = 0;
    const find = el("input", { class: "seg-input let-wide", type: "search", autocomplete: "off", "aria-label": settings.as_label, placeholder: settings.as_label,
      oninput: () => {
        clearTimeout(waiting);
        if (!find.value.trim()) { set(null, ""); return; }
        waiting = setTimeout(async () => {
          const url = new URL(settings.members_url, document.baseURI);
          url.searchParams.set("q", find.value);
          const found = await fetch(url).then((r) => (r.ok ? r.json() : [])).catch(() => []);
          list.replaceChildren(...(found.length
            ? found.map((one) => el("li", {}, el("button", { type: "button", onclick: () => { state.language = one.language; set(one.id, one.name); } }, one.name, el("span", { class: "desk-muted desk-number" }, ` ${one.card}`))))
            : [el("li", { class: "desk-muted" }, words.nobody)]));
          list.hidden = false;
        }, 250);
      },
      onkeydown: (event) => {
        if (event.key === "Enter") { event.preventDefault(); list.querySelector("button")?.click(); }
        if (event.key === "Escape") list.hidden = true;
      },
    });
    box.append(find, list);
  }

  for (const name of ["language", "width", "dark", "form"])
    part(name)?.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      state[name] = button.dataset.value;
      show();
      if (name === "language" || name === "dark") ask();
    });
  form.querySelectorAll("[data-write]").forEach((button) => button.addEventListener("click", () => {
    state.write = button.dataset.write;
    if (state.write) { state.language = state.write; ask(); }
    draw();
  }));
  document.getElementById("id_kind")?.addEventListener("change", ask);
  window.addEventListener("resize", show);
  window.addEventListener("beforeunload", (event) => { if (dirty) event.preventDefault(); });
  form.addEventListener("submit", () => { dirty = false; stored.value = JSON.stringify(content); });
  part("insert").append(fieldMenu());
  people();
  draw();
  show();
  ask();
})();
