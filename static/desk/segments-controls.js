// Small parts of the segment builder: elements, the picker of conditions, fields for values. docs/segments.md.
"use strict";
window.segmentControls = (() => {
  const { read, nextId, el, icon } = window.deskElements;
  const words = read("segment-words") ?? {};
  const catalogue = read("segment-traits") ?? [];
  const traits = new Map(catalogue.map((trait) => [trait.name, trait]));
  const say = (key, values = {}) =>
    (words[key] ?? key).replace(/%\((\w+)\)s/g, (_match, name) => String(values[name] ?? ""));

  function select(options, value, onchange, attributes = {}) {
    const made = el("select", { class: "seg-input", onchange: () => onchange(made.value), ...attributes });
    for (const option of options) made.append(el("option", { value: option.value }, option.label));
    made.value = value ?? "";
    return made;
  }

  // --- Choices: a fixed list, or words of one's own, for which the server suggests what there is -------------------
  /** Where the values of a trait, or of one of its filters, come from. */
  const sourceOf = (trait, filter = null, free = filter !== null) => {
    const choices = (filter ?? trait).choices ?? [];
    return { choices, free: free && !choices.length, trait: trait.name, filter: filter?.name ?? "" };
  };
  const fetched = new Map();
  async function suggestions(source, text) {
    if (!source.free) {
      const wanted = text.trim().toLowerCase();
      return source.choices.filter((choice) => choice.label.toLowerCase().includes(wanted)).slice(0, 100);
    }
    const url = new URL(read("segment-settings").suggest_url, document.baseURI);
    Object.entries({ trait: source.trait, filter: source.filter, q: text }).forEach((pair) => url.searchParams.set(...pair));
    if (!fetched.has(url.href)) {
      fetched.set(url.href, fetch(url).then((r) => (r.ok ? r.json() : [])).catch(() => []));
    }
    return (await fetched.get(url.href)).map((value) => ({ value, label: value }));
  }
  const labelOf = (source, value) =>
    source.choices.find((choice) => String(choice.value) === String(value))?.label ?? String(value);

  /** Several values as words that can be taken away, and a field that finds more (combobox pattern of the APG). */
  function tokens(source, values, onchange, label) {
    let chosen = Array.isArray(values) ? [...values] : [];
    let found = [];
    let active = -1;
    const listId = nextId("seg-list");
    const list = el("ul", { class: "seg-options", role: "listbox", id: listId, hidden: true, "aria-label": label });
    const input = el("input", {
      class: "seg-input", type: "text", role: "combobox", autocomplete: "off", "aria-expanded": "false",
      "aria-controls": listId, "aria-autocomplete": "list", "aria-label": label, placeholder: source.free ? words.write : words.choose,
      oninput: () => open(), onfocus: () => open(), onkeydown: keys,
      onblur: () => { if (source.free) typed(); setTimeout(close, 150); },
    });
    const box = el("span", { class: "seg-tokens" });
    const draw = () => {
      box.replaceChildren(
        ...chosen.map((value) =>
          el("span", { class: "seg-token" }, labelOf(source, value),
            el("button", {
              type: "button", "aria-label": say("take_away", { what: labelOf(source, value) }),
              onclick: () => { set(chosen.filter((other) => other !== value)); input.focus(); },
            }, icon("close")))),
        el("span", { class: "seg-combo" }, input, list));
    };
    const set = (next) => { chosen = next; draw(); onchange(chosen); };
    async function open() {
      const text = input.value;
      const answer = await suggestions(source, text);
      if (text !== input.value || document.activeElement !== input) return;
      found = answer.filter((choice) => !chosen.some((value) => String(value) === String(choice.value)));
      active = text && found.length && !source.free ? 0 : -1;
      if (found.length || !source.free) show();
      else close();
    }
    function show() {
      list.replaceChildren(
        ...found.map((choice, at) =>
          el("li", {
            role: "option", id: `${listId}-${at}`, "aria-selected": String(at === active),
            onmousedown: (event) => { event.preventDefault(); take(choice); },
          }, choice.label)),
        ...(found.length ? [] : [el("li", { class: "desk-muted", role: "option", "aria-disabled": "true" }, words.nothing)]));
      list.hidden = false;
      input.setAttribute("aria-expanded", "true");
      if (active >= 0) {
        input.setAttribute("aria-activedescendant", `${listId}-${active}`);
        list.children[active].scrollIntoView({ block: "nearest" });
      } else input.removeAttribute("aria-activedescendant");
    }
    function typed() { // a word of one's own, where such are allowed
      const text = input.value.trim();
      if (!text) return;
      input.value = "";
      set([...chosen.filter((value) => value !== text), text]);
    }
    function close() {
      list.hidden = true;
      active = -1;
      input.setAttribute("aria-expanded", "false");
      input.removeAttribute("aria-activedescendant");
    }
    function take(choice) {
      input.value = "";
      set([...chosen, choice.value]);
      close();
      input.focus();
    }
    function keys(event) {
      if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        if (list.hidden) { open(); return; }
        active = (active + (event.key === "ArrowDown" ? 1 : -1) + found.length) % Math.max(found.length, 1);
        show();
      } else if (event.key === "Enter") {
        event.preventDefault(); // never sends the form
        if (found[active]) take(found[active]);
        else if (source.free) { typed(); input.focus(); }
      } else if (event.key === "Escape" && !list.hidden) {
        event.stopPropagation();
        close();
      } else if (event.key === "Backspace" && !input.value && chosen.length) set(chosen.slice(0, -1));
    }
    draw();
    return box;
  }

  // --- Values, by the type that the operator asks for --------------------------------------------------------------
  const asNumber = (text) => (text.trim() === "" || Number.isNaN(Number(text)) ? null : Number(text));
  const field = (type, attributes, parse = (text) => text) => (value, onchange, label) => {
    const input = el("input", {
      class: `seg-input seg-${type}`, type, "aria-label": label, value: value ?? "",
      oninput: () => onchange(parse(input.value)), ...attributes,
    });
    return input;
  };
  const number = (step, unit = null, min = null) => (value, onchange, label) => {
    const input = field("number", { step, min, inputmode: step === "1" ? "numeric" : "decimal" }, asNumber)(
      value, onchange, unit ? `${label} (${unit})` : label);
    return unit ? el("span", { class: "seg-unit" }, input, el("span", {}, unit)) : input;
  };
  const pair = (one) => (value, onchange, label, source) => {
    const now = Array.isArray(value) ? [...value] : [null, null];
    const part = (at, word) => one(now[at], (next) => { now[at] = next; onchange([...now]); }, `${label}: ${word}`, source);
    return el("span", { class: "seg-pair" }, part(0, words.from), el("span", {}, words.to), part(1, words.to));
  };
  const measured = (value, onchange, label, source) =>
    number("any", { money: words.currency, top: "%", draw: "%" }[source.type])(value, onchange, label);
  const day = field("date", {}, (text) => text || null);
  const inputs = {
    number: measured, numbers: pair(measured), number_of_days: number("1", words.days, 0), day, days: pair(day),
    text: field("text", { maxlength: 200 }),
    texts: (value, onchange, label, trait) => tokens(sourceOf(trait, null, true), value, onchange, label),
    choices: (value, onchange, label, trait) => tokens(sourceOf(trait), value, onchange, label),
  };

  // --- The picker of conditions: one dialog for the whole page -----------------------------------------------------
  let chosenTrait = null;
  const listId = "seg-traits";
  const search = el("input", {
    type: "search", class: "seg-input", role: "combobox", "aria-expanded": "true", "aria-controls": listId,
    autocomplete: "off", placeholder: words.search, "aria-label": words.search, oninput: () => fill(), onkeydown: pick,
  });
  const listbox = el("div", { role: "listbox", id: listId, class: "seg-traits", "aria-label": words.condition });
  const dialog = el("dialog", { class: "seg-dialog", "aria-label": words.pick },
    el("div", { class: "seg-dialog-head" }, search,
      el("button", { type: "button", class: "seg-tool", "aria-label": words.cancel, onclick: () => dialog.close() }, icon("close"))),
    listbox);
  let options = [];
  let current = 0;
  function fill() {
    const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const hits = catalogue.filter((trait) => {
      const text = `${trait.label} ${trait.group_label} ${trait.name}`.toLowerCase();
      return wanted.every((word) => text.includes(word));
    });
    const groups = new Map();
    hits.forEach((trait) => groups.set(trait.group_label, [...(groups.get(trait.group_label) ?? []), trait]));
    options = [];
    listbox.replaceChildren(...[...groups].map(([name, members]) => {
      const headId = nextId("seg-head");
      return el("div", { role: "group", "aria-labelledby": headId },
        el("p", { class: "seg-traits-head", id: headId, role: "presentation" }, name),
        members.map((trait) => {
          const option = el("div", { role: "option", id: nextId("seg-trait"), "aria-selected": "false", onclick: () => choose(trait) }, trait.label);
          options.push([option, trait]);
          return option;
        }));
    }));
    if (!hits.length) listbox.replaceChildren(el("p", { class: "desk-muted seg-traits-head" }, words.nothing));
    mark(0);
  }
  function mark(at) {
    options[current]?.[0].setAttribute("aria-selected", "false");
    current = options.length ? (at + options.length) % options.length : 0;
    const option = options[current]?.[0];
    search.removeAttribute("aria-activedescendant");
    if (!option) return;
    option.setAttribute("aria-selected", "true");
    option.scrollIntoView({ block: "nearest" });
    search.setAttribute("aria-activedescendant", option.id);
  }
  function pick(event) {
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 };
    if (event.key in steps) { event.preventDefault(); mark(current + steps[event.key]); }
    else if (event.key === "Enter") { event.preventDefault(); if (options[current]) choose(options[current][1]); }
  }
  function choose(trait) {
    const done = chosenTrait;
    dialog.close();
    done(trait);
  }
  /** Asks for a trait; `done` hears which one, or nothing happens. */
  function pickTrait(done) {
    if (!dialog.isConnected) document.getElementById("segment-builder").append(dialog);
    chosenTrait = done;
    search.value = "";
    fill();
    dialog.showModal();
    search.focus();
  }
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

  return { el, icon, say, select, tokens, sourceOf, inputs, traits, words, read, nextId, pickTrait };
})();
