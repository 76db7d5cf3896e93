// The fields of a journey: one for each thing that is to be filled in. Each writes into `target[field.name]`.
"use strict";
window.journeyFields = (() => {
  const { read, el: make } = window.deskElements;
  const words = read("journey-words") || {};
  const catalogue = read("journey-catalogue") || {};

  const set = (target, name, value) => {
    if (value === null || value === undefined || value === "") delete target[name];
    else target[name] = value;
  };

  function select(choices, value, changed, { empty = words.choose, name = "" } = {}) {
    const box = make("select", { class: "seg-input", "data-name": name });
    if (empty !== null) box.append(make("option", { value: "" }, empty));
    choices.forEach(([key, label], n) => box.append(make("option", { value: n, selected: key === value }, label)));
    box.addEventListener("change", () => changed(box.value === "" ? null : choices[Number(box.value)][0]));
    return box;
  }

  const labelled = (label, control) => make("label", { class: "jou-field" }, label, control);

  function number(field, target, changed) {
    const box = make("input", {
      class: "seg-input seg-number", type: "number", min: field.least, max: field.most, inputmode: "numeric",
      step: field.type === "decimal" ? "0.1" : "1", value: target[field.name] ?? "", "data-name": field.name,
    });
    box.addEventListener("input", () => {
      const value = box.value === "" ? null : Number(box.value);
      set(target, field.name, Number.isNaN(value) ? null : value);
      changed();
    });
    return labelled(field.label, box);
  }

  function line(field, target, changed, type = "text") {
    const box = make("input", { class: "seg-input seg-text", type, maxlength: field.most, value: target[field.name] ?? "", "data-name": field.name });
    box.addEventListener("input", () => { set(target, field.name, box.value); changed(); });
    return labelled(field.label, box);
  }

  function check(field, target, changed) {
    const box = make("input", { type: "checkbox", checked: target[field.name] === true, "data-name": field.name });
    box.addEventListener("change", () => { set(target, field.name, box.checked || null); changed(); });
    return make("label", { class: "jou-tick" }, box, field.label);
  }

  // Money is typed as people write it, and kept in minor units.
  function money(field, target, changed) {
    const { digits, currency } = read("journey-settings");
    const unit = 10 ** digits;
    const box = make("input", {
      class: "seg-input seg-number", type: "number", min: 1 / unit, step: 1 / unit, inputmode: "decimal",
      value: target[field.name] ? target[field.name] / unit : "", "data-name": field.name,
    });
    box.addEventListener("input", () => { set(target, field.name, box.value === "" ? null : Math.round(Number(box.value) * unit)); changed(); });
    return labelled(`${field.label} (${currency})`, box);
  }

  // Words with commas between them; those there are, are offered.
  function several(field, target, changed) {
    const { suggest } = read("journey-settings");
    const list = make("datalist", { id: `jou-${field.name}-${Math.random().toString(36).slice(2)}` });
    const box = make("input", {
      class: "seg-input seg-text", type: "text", value: (target[field.name] || []).join(", "), list: list.id,
      "data-name": field.name, placeholder: words.commas, autocomplete: "off",
    });
    box.addEventListener("focus", async () => {
      try {
        const answer = await fetch(`${suggest}&filter=${field.suggest}`);
        if (answer.ok) list.replaceChildren(...(await answer.json()).map((value) => make("option", { value })));
      } catch { /* typed in full, then */ }
    }, { once: true });
    box.addEventListener("input", () => {
      const told = box.value.split(/[,，]/).map((word) => word.trim()).filter(Boolean);
      set(target, field.name, told.length ? told : null);
      changed();
    });
    return make("span", {}, labelled(field.label, box), list);
  }

  // By which channels, the first that reaches the member; none chosen: as the journey says.
  function channels(field, target, changed, redraw) {
    const told = target[field.name] || [];
    const parts = [...told, null].slice(0, catalogue.channels.length).map((value, n) => {
      const left = catalogue.channels.filter(([key]) => key === value || !told.includes(key));
      const box = select(left, value, (chosen) => {
        const list = [...told.slice(0, n), chosen, ...told.slice(n + 1)].filter(Boolean);
        set(target, field.name, list.length ? list : null);
        changed();
        redraw(`[data-name="${field.name}-${n}"]`);
      }, { name: `${field.name}-${n}`, empty: n ? words.nothing_else : words.as_journey });
      return labelled(n ? words.otherwise : field.label, box);
    });
    return make("div", { class: "jou-fields jou-channels" }, ...parts);
  }

  // Something that happens: a kind of event and, for some, which one.
  function pattern(field, target, changed, redraw) {
    const told = target[field.name] || {};
    const kind = select(catalogue.events, told.event, (value) => {
      set(target, field.name, value ? { event: value } : null);
      changed();
      redraw();
    }, { name: field.name });
    const parts = [labelled(field.label, kind)];
    if (told.event === "segment.entered" || told.event === "segment.left") {
      parts.push(select(catalogue.segments, told.segment, (value) => { set(told, "segment", value); changed(); }));
    } else if (told.event === "event.told") {
      parts.push(line({ name: "kind", label: "", most: 60 }, told, changed));
    }
    if (told.event === "purchase.paid") {
      const { least, stores } = read("journey-settings");
      parts.push(money({ name: "at_least_minor", label: least }, told, changed), several({ name: "stores", label: stores, suggest: "store" }, told, changed));
    }
    return make("div", { class: "jou-fields" }, ...parts);
  }

  const segmentOf = (condition) => {
    const { trait, op, value, ...rest } = condition || {};
    return trait === "segment" && op === "any_of" && Array.isArray(value) && value.length === 1 && !Object.keys(rest).length ? value[0] : null;
  };

  // A condition: a segment, or any tree of one as JSON.
  function condition(field, target, changed, redraw) {
    const told = target[field.name];
    const choices = [...catalogue.segments, ["other", words.other]];
    const chosen = segmentOf(told);
    const isOther = told && chosen === null;
    const box = select(choices, isOther ? "other" : chosen, (value) => {
      if (value === "other") target[field.name] = told || { all: [] };
      else set(target, field.name, value === null ? null : { trait: "segment", op: "any_of", value: [value] });
      changed();
      redraw();
    }, { empty: field.empty || words.choose, name: field.name });
    const parts = [labelled(`${field.label}: ${words.in_segment}`, box)];
    if (isOther) {
      const area = make("textarea", { class: "seg-input jou-json", spellcheck: "false", "aria-label": words.other });
      area.value = JSON.stringify(told, null, 1);
      area.addEventListener("input", () => {
        try { target[field.name] = JSON.parse(area.value); area.removeAttribute("aria-invalid"); changed(); }
        catch { area.setAttribute("aria-invalid", "true"); }
      });
      parts.push(area);
    }
    return make("div", { class: "jou-rule" }, ...parts);
  }

  function field(one, target, changed, redraw, steps) {
    switch (one.type) {
      case "number": case "decimal": return number(one, target, changed);
      case "money": return money(one, target, changed);
      case "words": return several(one, target, changed);
      case "channels": return channels(one, target, changed, redraw);
      case "line": return line(one, target, changed);
      case "date": return line(one, target, changed, "date");
      case "check": return check(one, target, changed);
      case "pattern": return pattern(one, target, changed, redraw);
      case "condition": return condition(one, target, changed, redraw);
      case "step": return labelled(one.label, select(steps(), target[one.name], (value) => { set(target, one.name, value); changed(); }, { name: one.name }));
      default: return labelled(one.label, select(one.choices, target[one.name], (value) => { set(target, one.name, value); changed(); }, { name: one.name, empty: one.optional || target[one.name] === undefined ? words.choose : null }));
    }
  }

  return { make, select, labelled, field, set, words, catalogue, read };
})();
