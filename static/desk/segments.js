// The segment builder: a tree of conditions that is edited in place and kept as JSON in the form's `definition`.
// The server says what it means, who is in, and what is wrong with it. docs/segments.md.
"use strict";
(() => {
  const root = document.getElementById("segment-builder");
  if (!root) return;
  const { el, icon, say, select, tokens, sourceOf, inputs, traits, words, read, nextId, pickTrait } = window.segmentControls;
  const stored = document.getElementById("id_definition");
  const form = stored.form;
  const settings = read("segment-settings");
  const MODES = [
    { value: "all", label: words.all }, { value: "any", label: words.any },
    { value: "none", label: words.none }, { value: "notall", label: words.notall },
  ];

  // --- The tree ----------------------------------------------------------------------------------------------------
  const group = (mode = "all", children = []) => ({ id: nextId("node"), mode, children });
  const leaf = (from = {}) => ({
    id: nextId("node"), negated: false, trait: "", op: "", value: null, where: {}, within: null, ...from,
  });
  function fromJSON(node) {
    if (node && Array.isArray(node.all)) return group("all", node.all.map(fromJSON));
    if (node && Array.isArray(node.any)) return group("any", node.any.map(fromJSON));
    if (node && node.not) {
      const inner = fromJSON(node.not);
      if (!inner.children) return inner.negated ? group("none", [inner]) : { ...inner, negated: true };
      if (inner.mode === "any") return { ...inner, mode: "none" };
      if (inner.mode === "all") return { ...inner, mode: "notall" };
      return group("none", [inner]);
    }
    const { trait = "", op = "", value = null, where = {}, within = null } = node ?? {};
    return leaf({ trait, op, value, where: { ...where }, within });
  }
  const operator = (node) => traits.get(node.trait)?.operators.find((one) => one.name === node.op);
  const isNothing = (value) => value === null || value === undefined || value === "";
  function isWhole(node) {
    const op = operator(node);
    if (!traits.has(node.trait) || !op) return Boolean(node.trait); // what is not known here the server judges
    if (needsValue(op) && (Array.isArray(node.value) ? !node.value.length || node.value.some(isNothing) : isNothing(node.value))) return false;
    const within = node.within;
    if (!within) return !traits.get(node.trait).needs_window;
    return "days" in within ? !isNothing(within.days) : Boolean(within.from || within.to);
  }
  const isFilled = (node) => (node.children ? node.children.some(isFilled) : isWhole(node));
  const needsValue = (op) => Boolean(op.value) && op.value !== "none";

  /** The definition as JSON, and the path of each node in it. Where `draft`, rows not yet filled in are left out. */
  function toJSON(draft) {
    const paths = new Map();
    let open = 0;
    function write(node, path) {
      paths.set(path.join("."), node.id);
      if (!node.children) {
        const at = node.negated ? [...path, "not"] : path;
        paths.set(at.join("."), node.id);
        const made = { trait: node.trait, op: node.op };
        const op = operator(node);
        if (!op || needsValue(op)) made.value = node.value;
        const where = Object.fromEntries(Object.entries(node.where).filter(([, values]) => values.length));
        if (Object.keys(where).length) made.where = where;
        if (node.within) made.within = Object.fromEntries(Object.entries(node.within).filter(([, part]) => part !== ""));
        return node.negated ? { not: made } : made;
      }
      const key = node.mode === "any" || node.mode === "none" ? "any" : "all";
      const negated = node.mode === "none" || node.mode === "notall";
      const at = [...path, ...(negated ? ["not"] : []), key];
      paths.set(at.slice(0, -1).join("."), node.id);
      const kept = node.children.filter((child) => {
        const stays = !draft || isFilled(child);
        if (!stays) open += sizeOf(child);
        return stays;
      });
      const inner = { [key]: kept.map((child, n) => write(child, [...at, n])) };
      return negated ? { not: inner } : inner;
    }
    const definition = write(tree, []);
    return { definition, paths, open };
  }
  let tree;
  try {
    const given = fromJSON(JSON.parse(stored.value || '{"all": []}'));
    tree = given.children ? given : group("all", [given]);
  } catch {
    return; // what is in the field is no JSON: the field stays, and says so when it is saved
  }

  function find(id, within = tree, parent = null) {
    if (within.id === id) return { node: within, parent, at: parent ? parent.children.indexOf(within) : 0 };
    for (const child of within.children ?? []) {
      const found = find(id, child, within);
      if (found) return found;
    }
    return null;
  }
  const sizeOf = (node) => (node.children ? node.children.reduce((sum, child) => sum + sizeOf(child), 0) : 1);
  const depthOf = (node) => (node.children ? 1 + Math.max(0, ...node.children.map(depthOf)) : 0);

  // --- Acts --------------------------------------------------------------------------------------------------------
  function add(parent, child, control = "trait") {
    if (sizeOf(tree) >= settings.leaves) { announce(words.too_many); return; }
    parent.children.push(child);
    changed(child.id, control);
  }
  const fresh = (trait) => ({
    trait: trait.name, op: trait.operators[0].name, value: null, where: {},
    within: trait.needs_window ? { days: 30 } : null,
  });
  const addLeaf = (parent) =>
    pickTrait((trait) => {
      add(parent, leaf(fresh(trait)), "value");
    });
  function remove(id) {
    const { parent, at } = find(id);
    parent.children.splice(at, 1);
    const next = parent.children[at] ?? parent.children[at - 1];
    changed(next?.id ?? parent.id, next ? "trait" : "add");
  }
  /** One step up or down in reading order, into and out of groups. */
  function move(id, step) {
    const { node, parent, at } = find(id);
    const beside = parent.children[at + step];
    parent.children.splice(at, 1);
    if (beside?.children) beside.children.splice(step > 0 ? 0 : beside.children.length, 0, node);
    else if (beside) parent.children.splice(at + step, 0, node);
    else if (parent === tree) parent.children.splice(at, 0, node);
    else {
      const above = find(parent.id);
      above.parent.children.splice(above.at + (step > 0 ? 1 : 0), 0, node);
    }
    changed(id, step > 0 ? "down" : "up");
    announce(words.moved);
  }
  function wrap(id) {
    const { node, parent, at } = find(id);
    if (depthOf(tree) >= settings.depth) { announce(words.too_deep); return; }
    const made = group("any", [node]);
    parent.children[at] = made;
    changed(made.id, "mode");
  }
  function unwrap(id) {
    const { node, parent, at } = find(id);
    parent.children.splice(at, 1, ...node.children);
    changed(parent.id, "mode");
  }
  function copy(id) {
    const { node, parent, at } = find(id);
    if (sizeOf(tree) + sizeOf(node) > settings.leaves) { announce(words.too_many); return; }
    const renew = (one) => ({ ...structuredClone({ ...one, children: undefined }), id: nextId("node"), ...(one.children ? { children: one.children.map(renew) } : { children: undefined }) });
    const made = renew(node);
    if (!made.children) delete made.children;
    parent.children.splice(at + 1, 0, made);
    changed(made.id, "trait");
  }
  function retrait(node) {
    pickTrait((trait) => {
      Object.assign(node, fresh(trait));
      changed(node.id, "value");
    });
  }

  // --- Drawing -----------------------------------------------------------------------------------------------------
  const tool = (node, name, sign, label, act) =>
    el("button", { type: "button", class: "seg-tool", "data-control": `${node.id}:${name}`, "aria-label": label, title: label, onclick: act }, icon(sign));
  function tools(node, parent) {
    if (!parent) return null;
    const more = el("details", { class: "seg-more" },
      el("summary", { class: "seg-tool", "aria-label": words.more, title: words.more }, icon("more_horiz")),
      el("div", { class: "seg-menu" },
        el("button", { type: "button", class: "seg-narrowly", onclick: () => move(node.id, -1) }, words.up),
        el("button", { type: "button", class: "seg-narrowly", onclick: () => move(node.id, 1) }, words.down),
        node.children
          ? el("button", { type: "button", onclick: () => unwrap(node.id) }, words.unwrap)
          : el("button", { type: "button", onclick: () => { node.negated = !node.negated; changed(node.id, "trait"); } }, node.negated ? words.unnegate : words.negate),
        el("button", { type: "button", onclick: () => wrap(node.id) }, words.wrap),
        el("button", { type: "button", onclick: () => copy(node.id) }, words.copy)));
    more.addEventListener("keydown", (event) => {
      if (event.key === "Escape") { more.open = false; more.firstChild.focus(); }
    });
    more.addEventListener("focusout", (event) => { if (!more.contains(event.relatedTarget)) more.open = false; });
    return el("span", { class: "seg-tools" },
      tool(node, "up", "arrow_upward", words.up, () => move(node.id, -1)),
      tool(node, "down", "arrow_downward", words.down, () => move(node.id, 1)),
      more,
      tool(node, "remove", "delete", words.remove, () => remove(node.id)));
  }
  const problemSlot = (node) => el("p", { class: "seg-problem", id: `${node.id}-problem`, "data-problem": node.id });

  function drawLeaf(node, parent) {
    const trait = traits.get(node.trait);
    const op = operator(node);
    const name = trait?.label ?? (node.trait ? say("gone", { name: node.trait }) : words.choose_condition);
    const line = el("div", { class: "seg-line" },
      node.negated ? el("button", { type: "button", class: "seg-not", title: words.unnegate, onclick: () => { node.negated = false; changed(node.id, "trait"); } }, words.not) : null,
      el("button", { type: "button", class: "seg-trait", "data-control": `${node.id}:trait`, "aria-haspopup": "dialog", "aria-label": say("change_condition", { what: trait ? `${trait.group_label}: ${name}` : name }), onclick: () => retrait(node) },
        trait ? el("span", { class: "seg-of" }, trait.group_label) : null, name));
    if (trait) {
      if (trait.operators.length > 1 || !needsValue(trait.operators[0])) {
        line.append(select(trait.operators.map((one) => ({ value: one.name, label: one.label })), node.op, (name_) => {
          const before = operator(node)?.value;
          node.op = name_;
          if (operator(node)?.value !== before) node.value = null;
          changed(node.id, "op");
        }, { "data-control": `${node.id}:op`, "aria-label": `${name}: ${words.operator}` }));
      } else line.append(el("span", { class: "seg-said" }, trait.operators[0].label));
      if (op && needsValue(op)) {
        const make = inputs[op.value] ?? inputs.text;
        line.append(el("span", { class: "seg-value", "data-control": `${node.id}:value` },
          make(node.value, (value) => { node.value = value; edited(); }, `${name} ${op.label}`, trait)));
      }
    }
    return el("div", { class: "seg-row", id: node.id, role: "group", "aria-label": name, "aria-describedby": `${node.id}-problem` },
      el("div", { class: "seg-top" }, line, tools(node, parent)),
      trait && (trait.window || trait.filters?.length) ? drawScope(node, trait) : null,
      problemSlot(node));
  }

  /** When (a window) and of what (filters). */
  function drawScope(node, trait) {
    const scope = el("div", { class: "seg-scope" });
    if (trait.window) {
      const ahead = trait.window === "next";
      const kind = !node.within ? "" : "days" in node.within ? "days" : "dates";
      scope.append(select([
        ...(trait.needs_window ? [] : [{ value: "", label: words.ever }]),
        { value: "days", label: ahead ? words.next_days : words.last_days },
        ...(ahead ? [] : [{ value: "dates", label: words.between }]),
      ], kind, (next) => {
        node.within = next === "days" ? { days: 90 } : next === "dates" ? { from: "", to: "" } : null;
        changed(node.id, "within");
      }, { "data-control": `${node.id}:within`, "aria-label": words.when }));
      if (kind === "days") scope.append(inputs.number_of_days(node.within.days, (days) => { node.within.days = days; edited(); }, ahead ? words.next_days : words.last_days));
      if (kind === "dates") {
        const part = (key) => inputs.day(node.within[key], (day) => { node.within[key] = day; edited(); }, key === "from" ? words.from_day : words.to_day);
        scope.append(el("span", { class: "seg-pair" }, part("from"), el("span", {}, words.to), part("to")));
      }
    }
    const filters = trait.filters ?? [];
    for (const filter of filters.filter((one) => one.name in node.where)) {
      scope.append(el("span", { class: "seg-filter" }, el("span", { class: "seg-said" }, filter.label),
        el("span", { "data-control": `${node.id}:where-${filter.name}` },
          tokens(sourceOf(trait, filter), node.where[filter.name], (values) => { node.where[filter.name] = values; edited(); }, filter.label)),
        el("button", { type: "button", class: "seg-tool", "aria-label": say("take_away", { what: filter.label }), onclick: () => { delete node.where[filter.name]; changed(node.id, "narrow"); } }, icon("close"))));
    }
    const left = filters.filter((one) => !(one.name in node.where));
    if (left.length) {
      scope.append(select([{ value: "", label: words.narrow }, ...left.map((one) => ({ value: one.name, label: one.label }))], "", (name) => {
        node.where[name] = [];
        changed(node.id, `where-${name}`);
      }, { class: "seg-input seg-narrow", "data-control": `${node.id}:narrow`, "aria-label": words.narrow }));
    }
    return scope;
  }

  /** A group with nothing in it yet: `holder` is where its children go, `hint` what it says without any. */
  function drawGroup(node, parent, depth) {
    const holder = el("div", { class: "seg-children" });
    const inner = el("div", { class: `seg-group${depth % 2 ? " seg-odd" : ""}${depth > 5 ? " seg-deep" : ""}${depth > 12 ? " seg-deepest" : ""}`, role: "group", "aria-label": MODES.find((mode) => mode.value === node.mode).label },
      el("div", { class: "seg-top" },
        el("div", { class: "seg-line" },
          select(MODES, node.mode, (mode) => { node.mode = mode; edited(); }, { class: "seg-input seg-mode", "data-control": `${node.id}:mode`, "aria-label": words.mode })),
        tools(node, parent)),
      holder,
      problemSlot(node),
      el("div", { class: "seg-add" },
        el("button", { type: "button", class: "seg-button", "data-control": `${node.id}:add`, onclick: () => addLeaf(node) }, icon("add"), words.add),
        el("button", { type: "button", class: "seg-button", onclick: () => { if (depth + 1 >= settings.depth) announce(words.too_deep); else add(node, group("any"), "mode"); } }, icon("add_box"), words.add_group)));
    const element = parent ? el("div", { class: "seg-row seg-holds", id: node.id }, inner) : inner;
    return { element, holder, depth, hint: el("p", { class: "desk-muted seg-empty" }, parent ? words.empty_group : words.everybody) };
  }
  const canvas = document.getElementById("segment-tree");
  const drawn = new Map(); // what did not change is kept: to make five hundred rows anew takes a second
  function elementOf(node, parent, depth) {
    const known = drawn.get(node.id);
    if (known && (!node.children || known.depth === depth)) return known.element;
    drawn.set(node.id, node.children ? drawGroup(node, parent, depth) : { element: drawLeaf(node, parent) });
    return drawn.get(node.id).element;
  }
  /** Puts a group's children in their places, from the top down. */
  function arrange(node, depth) {
    const { holder, hint } = drawn.get(node.id);
    const wanted = node.children.map((child) => elementOf(child, node, depth + 1));
    if (!wanted.length) wanted.push(hint);
    if (wanted.length !== holder.children.length || wanted.some((one, at) => one !== holder.children[at])) holder.replaceChildren(...wanted);
    node.children.forEach((child) => { if (child.children) arrange(child, depth + 1); });
  }
  function draw() {
    const top = elementOf(tree, null, 0);
    if (canvas.firstChild !== top) canvas.replaceChildren(top);
    arrange(tree, 0);
  }
  /** After a change of shape: drawn anew, with the focus where the work goes on. */
  function changed(id, control) {
    drawn.delete(id);
    draw();
    const wanted = [`${id}:${control}`, `${id}:trait`, `${id}:mode`];
    const place = wanted.map((name) => canvas.querySelector(`[data-control="${name}"]`)).find((one) => one?.offsetParent);
    (place?.matches("button, select, input") ? place : place?.querySelector("input, select, button"))?.focus();
    edited();
  }

  // --- What the server says ----------------------------------------------------------------------------------------
  const part = (name) => document.querySelector(`[data-segment="${name}"]`);
  const announce = (text) => { part("said").textContent = text; };
  let timer = 0;
  let asked = null;
  function edited() {
    stored.value = JSON.stringify(toJSON(false).definition);
    clearTimeout(timer);
    timer = setTimeout(ask, 200);
  }
  async function post(url, definition, signal) {
    const answer = await fetch(url, {
      method: "POST", signal, body: JSON.stringify({ definition, segment: settings.segment }),
      headers: { "Content-Type": "application/json", "X-CSRFToken": form.elements.csrfmiddlewaretoken.value },
    });
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.json();
  }
  async function ask() {
    asked?.abort();
    asked = new AbortController();
    const { signal } = asked;
    const { definition, paths, open } = toJSON(true);
    root.setAttribute("aria-busy", "true");
    part("open").textContent = open ? say(open === 1 ? "open_one" : "open_many", { n: open }) : "";
    try {
      const quick = await post(settings.preview_url, definition, signal);
      showProblems(quick.problems, paths);
      part("sentence").textContent = quick.sentence;
      part("count").textContent = quick.count;
      part("bar-count").textContent = quick.count;
      part("note").textContent = quick.note ?? "";
      if (!quick.problems.length) {
        const exact = await post(settings.count_url, definition, signal);
        part("count").textContent = exact.count;
        part("bar-count").textContent = exact.count;
        part("note").textContent = exact.note ?? "";
        part("plan").replaceChildren(...exact.plan.map((text) => el("li", {}, text)));
        part("sample").replaceChildren(...exact.sample.map((one) => el("li", { class: "desk-row" },
          el("a", { class: "desk-link desk-grow", href: one.url }, one.name), el("span", { class: "desk-muted desk-number" }, one.card))));
        part("sample-box").hidden = !exact.sample.length;
      }
      root.removeAttribute("aria-busy");
    } catch (error) {
      if (error.name === "AbortError") return;
      root.removeAttribute("aria-busy");
      part("note").textContent = words.offline;
    }
  }
  function showProblems(problems, paths) {
    canvas.querySelectorAll("[data-problem]").forEach((slot) => { slot.textContent = ""; slot.parentElement.classList.remove("seg-wrong"); });
    const elsewhere = [];
    for (const problem of problems) {
      const steps = problem.path.split("/").slice(1); // a JSON pointer
      let slot = null;
      for (let n = steps.length; n >= 0 && !slot; n -= 1) {
        const id = paths.get(steps.slice(0, n).join("."));
        slot = id && canvas.querySelector(`[data-problem="${id}"]`);
      }
      if (!slot) { elsewhere.push(problem.sentence); continue; }
      slot.textContent = slot.textContent ? `${slot.textContent} ${problem.sentence}` : problem.sentence;
      slot.parentElement.classList.add("seg-wrong");
    }
    part("problems").textContent = elsewhere.join(" ");
  }

  draw();
  root.classList.add("seg-live");
  stored.value = JSON.stringify(toJSON(false).definition);
  if (settings.problems.length) showProblems(settings.problems, toJSON(false).paths);
  else ask();
})();
