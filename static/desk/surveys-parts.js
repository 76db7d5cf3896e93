// The parts of the survey builder: texts in each language, lists of choices, conditions. Each writes into the object it
// is given and then calls `changed`; `redraw` draws the page anew.
"use strict";
window.surveyParts = (() => {
  const { read, nextId, el, icon } = window.deskElements;
  const words = read("survey-words") ?? {};
  const settings = read("survey-settings") ?? {};
  const say = (key, values = {}) =>
    (words[key] ?? key).replace(/%\((\w+)\)s/g, (_match, name) => String(values[name] ?? ""));
  const own = document.documentElement.lang.toLowerCase();
  const said = (texts) => texts?.[own] || Object.values(texts ?? {}).find(Boolean) || "";

  const set = (target, name, value) => {
    if (value === null || value === undefined || value === "" || value === false) delete target[name];
    else target[name] = value;
  };
  const tool = (sign, label, onclick, more = {}) =>
    el("button", { type: "button", class: "seg-tool", "aria-label": label, title: label, onclick, ...more }, icon(sign));
  const slot = (path) => el("p", { class: "seg-problem", "data-path": path });

  function select(options, value, onchange, more = {}) {
    const box = el("select", { class: "seg-input", onchange: () => onchange(box.value), ...more },
      options.map(([key, label, disabled]) => el("option", { value: key, disabled }, label)));
    box.value = value ?? "";
    return box;
  }
  const check = (label, target, name, changed, { when = true } = {}) => {
    const box = el("input", { type: "checkbox", checked: target[name] === when, onchange: () => { set(target, name, box.checked); changed(true); } });
    return el("label", { class: "sur-tick" }, box, label);
  };
  const number = (label, target, name, changed, more = {}) => {
    const box = el("input", {
      class: "seg-input seg-number", type: "number", step: 1, value: target[name] ?? "", ...more,
      oninput: () => { set(target, name, box.value === "" ? null : Number(box.value)); changed(); },
    });
    return el("label", { class: "sur-labelled" }, label, box);
  };

  /** One text in each language of the survey, side by side. */
  function texts(target, name, path, label, changed, { lines = 1, pipes = [], short = false } = {}) {
    const fields = settings.languages.map(([code, language]) => {
      const field = el(lines > 1 ? "textarea" : "input", {
        class: "seg-input sur-text", lang: code, rows: lines > 1 ? lines : null, maxlength: 2000, value: target[name]?.[code] ?? "",
        "aria-label": `${label} (${language})`, placeholder: short ? language : null, "data-control": `${path}/${code}`, readonly: !settings.may,
        oninput: () => {
          const now = { ...(target[name] ?? {}) };
          set(now, code, field.value);
          set(target, name, Object.keys(now).length ? now : null);
          changed();
        },
      });
      return el("span", { class: "sur-cell" }, short ? null : el("span", { class: "sur-language" }, language), field, slot(`${path}/${code}`));
    });
    let last = null;
    fields.forEach((cell) => cell.addEventListener("focusin", (event) => { if (event.target.matches(".sur-text")) last = event.target; }));
    const insert = pipes.length && settings.may
      ? select([["", words.insert], ...pipes], "", (key) => {
        const field = last ?? fields[0].querySelector(".sur-text");
        field.setRangeText(`{{ ${key} }}`, field.selectionStart, field.selectionEnd, "end");
        field.dispatchEvent(new Event("input"));
        insert.value = "";
        field.focus();
      }, { class: "seg-input sur-insert", "aria-label": words.insert })
      : null;
    return el("div", { class: "sur-part" },
      short ? null : el("div", { class: "sur-part-head" }, el("span", { class: "sur-label" }, label), insert),
      el("div", { class: "sur-texts" }, fields), slot(path));
  }

  const freshId = (taken, prefix) => {
    let n = 1;
    while (taken.has(`${prefix}${n}`)) n += 1;
    return `${prefix}${n}`;
  };

  // --- Choices, and the rows of a table ----------------------------------------------------------------------------
  function choices(question, name, path, label, changed, redraw) {
    const list = question[name] ?? (question[name] = []);
    const taken = () => new Set(list.map((one) => one.id));
    const rows = list.map((one, n) => el("li", { class: "sur-choice" },
      question.kind === "picture" && name === "choices" ? pictures(one, `${path}/${n}/picture`, redraw) : null,
      texts(one, "title", `${path}/${n}/title`, `${label} ${n + 1}`, changed, { short: true }),
      settings.may ? el("span", { class: "seg-tools" },
        tool("arrow_upward", words.up, () => move(list, n, -1, `${path}/${n - 1}/title/${settings.languages[0][0]}`), { disabled: n === 0 }),
        tool("arrow_downward", words.down, () => move(list, n, 1, `${path}/${n + 1}/title/${settings.languages[0][0]}`), { disabled: n === list.length - 1 }),
        tool("close", words.remove, () => { list.splice(n, 1); redraw(`${path}/${Math.max(0, n - 1)}/title/${settings.languages[0][0]}`); })) : null,
      slot(`${path}/${n}`)));
    function move(from, at, step, focus) {
      from.splice(at + step, 0, ...from.splice(at, 1));
      redraw(focus);
    }
    const add = () => {
      list.push({ id: freshId(taken(), name === "rows" ? "r" : "c"), title: {} });
      redraw(`${path}/${list.length - 1}/title/${settings.languages[0][0]}`);
    };
    return el("div", { class: "sur-part" }, el("span", { class: "sur-label" }, label),
      el("ol", { class: "sur-choices" }, rows), slot(path),
      settings.may ? el("button", { type: "button", class: "seg-button", onclick: add }, icon("add"), name === "rows" ? words.add_row : words.add_choice) : null);
  }

  /** The picture of a choice: shown, or uploaded. The server checks it and writes it anew. */
  function pictures(choice, path, redraw) {
    const known = settings.pictures[choice.picture];
    const file = el("input", { type: "file", accept: "image/jpeg,image/png,image/webp", class: "seg-unseen", disabled: !settings.may, onchange: upload });
    const told = slot(path);
    async function upload() {
      const body = new FormData();
      body.append("picture", file.files[0]);
      try {
        const answer = await fetch(settings.upload, { method: "POST", body, headers: { "X-CSRFToken": settings.token() } });
        const made = await answer.json();
        if (!answer.ok) { told.textContent = made.sentence; return; }
        settings.pictures[made.id] = made.url;
        choice.picture = made.id;
        redraw(`${path}`);
      } catch { told.textContent = words.offline; }
    }
    return el("span", { class: "sur-picture" },
      el("label", { title: words.picture }, known ? el("img", { src: known, alt: words.picture }) : icon("add_photo_alternate"), file, el("span", { class: "seg-unseen" }, words.picture)), told);
  }

  // --- Conditions --------------------------------------------------------------------------------------------------
  const isLeaf = (raw) => raw && (("answer" in raw) || ("member" in raw && kindOfMember(raw.member)) || (raw.not && isLeaf(raw.not) && !raw.not.not));
  function kindOfMember(tree) {
    if (!tree || tree.op !== "any_of" || !Array.isArray(tree.value) || tree.value.length !== 1) return "";
    return ["segment", "tier"].includes(tree.trait) && Object.keys(tree).length === 3 ? tree.trait : "";
  }
  function flat(raw) {
    if (!raw) return { mode: "all", leaves: [] };
    for (const mode of ["all", "any"]) if (Array.isArray(raw[mode]) && raw[mode].every(isLeaf)) return { mode, leaves: raw[mode] };
    return isLeaf(raw) ? { mode: "all", leaves: [raw] } : null;
  }
  const OPS = {
    numbers: ["at_least", "at_most", "is", "is_not", "answered", "not_answered"],
    one: ["is", "is_not", "answered", "not_answered"],
    several: ["includes", "leaves_out", "answered", "not_answered"],
    other: ["answered", "not_answered"],
  };
  const family = (question) => settings.kinds.find((one) => one.kind === question.kind)?.family ?? "other";
  const answersOf = (question) => (question.kind === "consent"
    ? [["yes", words.yes], ["no", words.no]]
    : [...(question.choices ?? []).map((one) => [one.id, said(one.title) || one.id]), ...(question.other ? [["other", words.other]] : [])]);

  /** What has to be true, under `target[name]`; `before` are the questions whose answers are known here. */
  function condition(target, name, path, before, changed, redraw) {
    const told = flat(target[name]);
    if (!told) {
      const area = el("textarea", { class: "seg-input sur-json", rows: 5, spellcheck: "false", "aria-label": words.json, readonly: !settings.may });
      area.value = JSON.stringify(target[name], null, 1);
      area.addEventListener("input", () => {
        try { target[name] = JSON.parse(area.value); area.removeAttribute("aria-invalid"); changed(); } catch { area.setAttribute("aria-invalid", "true"); }
      });
      return el("div", { class: "sur-condition" }, el("span", { class: "desk-muted" }, words.json), area, slot(path),
        settings.may ? el("button", { type: "button", class: "seg-button", onclick: () => { delete target[name]; redraw(); } }, words.clear) : null);
    }
    const { mode, leaves } = told;
    const write = (next, nextMode = mode) => {
      set(target, name, next.length > 1 ? { [nextMode]: next } : next[0]);
      redraw();
    };
    const at = (n) => (leaves.length > 1 ? `${path}/${mode}/${n}` : path);
    const rows = leaves.map((leaf, n) => el("div", { class: "sur-leaf" },
      ...drawLeaf(leaf, before, at(n), (next) => write(leaves.map((one, m) => (m === n ? next : one))), changed),
      settings.may ? tool("close", words.remove, () => write(leaves.filter((_one, m) => m !== n))) : null,
      leaves.length > 1 ? slot(at(n)) : null));
    return el("div", { class: "sur-condition" },
      leaves.length > 1 ? select([["all", words.all], ["any", words.any]], mode, (next) => write(leaves, next), { "aria-label": words.mode }) : null,
      rows, slot(path),
      settings.may ? el("button", { type: "button", class: "seg-button", onclick: () => write([...leaves, fresh(before)]), disabled: !before.length && settings.anonymous },
        icon("add"), leaves.length ? words.add_condition : words.only_if) : null);
  }
  function fresh(before) {
    const last = [...before].reverse().find((one) => family(one) !== "other") ?? before.at(-1);
    if (!last) return { member: { trait: "tier", op: "any_of", value: [settings.tiers[0]?.[0]] } };
    return ofQuestion(last);
  }
  function ofQuestion(question) {
    const op = OPS[family(question)][0];
    const leaf = { answer: question.id, op };
    if (family(question) === "numbers") leaf.value = question.kind === "nps" ? 9 : 4;
    else if (op !== "answered") leaf.value = answersOf(question)[0]?.[0] ?? "";
    return leaf;
  }
  function drawLeaf(raw, before, path, replace, changed) {
    const negated = Boolean(raw.not);
    const leaf = raw.not ?? raw;
    const wrap = (next) => replace(negated ? { not: next } : next);
    const subjects = [
      ...before.map((one) => [one.id, said(one.title).slice(0, 60) || one.id]),
      ...(settings.anonymous ? [] : [["member:tier", words.tier], ["member:segment", words.segment]].filter(([key]) => settings[key === "member:tier" ? "tiers" : "segments"].length)),
    ];
    const chosen = leaf.answer ?? `member:${kindOfMember(leaf.member)}`;
    if (!subjects.some(([key]) => key === chosen)) subjects.unshift([chosen, say("gone", { name: chosen })]);
    const parts = [
      select([["", words.that], ["not", words.that_not]], negated ? "not" : "", (next) => replace(next ? { not: leaf } : leaf), { "aria-label": words.negate, class: "seg-input sur-not" }),
      select(subjects, chosen, (key) => {
        if (key.startsWith("member:")) {
          const trait = key.slice(7);
          wrap({ member: { trait, op: "any_of", value: [settings[trait === "tier" ? "tiers" : "segments"][0][0]] } });
        } else wrap(ofQuestion(before.find((one) => one.id === key)));
      }, { "aria-label": words.question, class: "seg-input sur-subject" }),
    ];
    if (leaf.member) {
      const options = settings[leaf.member.trait === "tier" ? "tiers" : "segments"];
      parts.push(select(options, leaf.member.value[0], (key) => { leaf.member.value = [Number(key)]; changed(); }, { "aria-label": words.answer }));
      return parts;
    }
    const question = before.find((one) => one.id === leaf.answer);
    if (!question) return parts;
    parts.push(select(OPS[family(question)].map((op) => [op, settings.comparisons[op]]), leaf.op, (op) => {
      const next = { answer: leaf.answer, op };
      if (!op.endsWith("answered")) next.value = leaf.value ?? ofQuestion(question).value;
      wrap(next);
    }, { "aria-label": words.comparison }));
    if (leaf.op.endsWith("answered")) return parts;
    if (family(question) === "numbers") {
      const box = el("input", { class: "seg-input seg-number", type: "number", step: "any", value: leaf.value ?? "", "aria-label": words.answer, oninput: () => { leaf.value = box.value === "" ? null : Number(box.value); changed(); } });
      parts.push(box);
    } else parts.push(select(answersOf(question), leaf.value, (key) => { leaf.value = key; changed(); }, { "aria-label": words.answer }));
    return parts;
  }

  /** Where a question leads: the first condition that holds. */
  function jumps(question, path, before, targets, changed, redraw) {
    const list = question.jumps ?? [];
    const write = (next) => { set(question, "jumps", next.length ? next : null); redraw(); };
    const rows = list.map((one, n) => el("li", { class: "sur-jump" },
      condition(one, "if", `${path}/${n}/if`, before, changed, redraw),
      el("label", { class: "sur-labelled" }, list[n].if ? words.then_to : words.always_to,
        select([["", words.choose], ...targets], one.to, (to) => { one.to = to; changed(); }, { "data-control": `${path}/${n}/to` })),
      slot(`${path}/${n}/to`),
      settings.may ? tool("close", words.remove, () => write(list.filter((_one, m) => m !== n))) : null));
    return el("div", { class: "sur-part" }, el("span", { class: "sur-label" }, words.leads),
      el("ol", { class: "sur-jumps" }, rows), slot(path),
      settings.may ? el("button", { type: "button", class: "seg-button", onclick: () => write([...list, { if: fresh(before), to: "end" }]) }, icon("add"), words.add_jump) : null);
  }

  return { el, icon, read, nextId, words, settings, say, said, set, tool, slot, select, check, number, texts, freshId, choices, condition, jumps, family };
})();
