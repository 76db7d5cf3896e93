// The survey builder: sections and questions, edited in place and kept as JSON in the form's `definition`. The server
// says what is wrong with it, and where. docs/surveys.md.
"use strict";
(() => {
  const stored = document.getElementById("id_definition");
  const root = document.querySelector("[data-survey=sections]");
  if (!stored || !root) return;
  const P = window.surveyParts;
  const { el, icon, words, settings, say, said, set, tool, slot, select, check, number, texts } = P;
  const form = stored.form;
  settings.token = () => form.elements.csrfmiddlewaretoken.value;
  let survey;
  try {
    survey = JSON.parse(stored.value);
    if (!Array.isArray(survey.sections) || survey.sections.some((one) => !Array.isArray(one.questions))) return;
  } catch {
    return; // what is in the field is no survey: the field stays, and says so when it is saved
  }
  const kinds = new Map(settings.kinds.map((one) => [one.kind, one]));
  let open = survey.sections[0]?.questions[0]?.id ?? null;
  let young = null; // just added: while it is being written, its gaps are not held against it
  let problems = settings.problems;
  let dirty = false;
  form.closest("#content, body").classList.add("sur-live");

  const everything = () => survey.sections.flatMap((section) => [section.id, ...section.questions.map((one) => one.id)]);
  const freshId = (prefix = "q") => P.freshId(new Set(everything()), prefix);
  const announce = (text) => { document.querySelector("[data-survey=said]").textContent = text; };

  // --- What is known where -----------------------------------------------------------------------------------------
  /** Questions asked before a place, whose answers can be asked for there. */
  function before(s, q) {
    const asked = survey.sections.slice(0, s).flatMap((section) => section.questions);
    const here = survey.sections[s].random ? [] : survey.sections[s].questions.slice(0, q);
    return [...asked, ...here].filter((one) => one.kind !== "statement");
  }
  function targets(s, q) {
    const found = [];
    survey.sections.forEach((section, n) => {
      if (n > s) found.push([section.id, `${words.section} ${n + 1}${said(section.title) ? `: ${said(section.title)}` : ""}`]);
      if (n < s || section.random) return;
      section.questions.forEach((one, m) => {
        if (n > s || m > q) found.push([one.id, said(one.title).slice(0, 70) || one.id]);
      });
    });
    return [...found, ["end", words.end]];
  }
  const pipesOf = (s, q) => [
    ...(settings.anonymous ? [] : [["name", words.name], ...settings.profile]),
    ...before(s, q).map((one) => [one.id, said(one.title).slice(0, 60) || one.id]),
  ];

  // --- Acts --------------------------------------------------------------------------------------------------------
  function fresh(kind) {
    const question = { id: freshId(), kind, title: {} };
    if (kinds.get(kind).choices) question.choices = [{ id: "c1", title: {} }, { id: "c2", title: {} }];
    if (kind === "matrix") question.rows = [{ id: "r1", title: {} }];
    if (kinds.get(kind).usual) question.title = { ...kinds.get(kind).usual };
    if (kinds.get(kind).ends) question.ends = structuredClone(kinds.get(kind).ends);
    if (kind === "nps") question.required = true;
    return question;
  }
  function add(s, question, at = survey.sections[s].questions.length) {
    survey.sections[s].questions.splice(at, 0, question);
    open = young = question.id;
    redraw(`/sections/${s}/questions/${at}/title/${settings.languages[0][0]}`);
    announce(words.added);
  }
  function addSet(s, questions) {
    const names = new Map();
    const made = structuredClone(questions);
    for (const one of made) {
      const taken = new Set([...everything(), ...names.values()]);
      names.set(one.id, taken.has(one.id) ? P.freshId(taken, "q") : one.id);
    }
    made.forEach((one) => { one.id = names.get(one.id); });
    survey.sections[s].questions.push(...made);
    open = made[0].id;
    redraw(`question-${made[0].id}`);
    announce(words.added);
  }
  function move(s, q, step) {
    const from = survey.sections[s].questions;
    const [one] = from.splice(q, 1);
    if (q + step >= 0 && q + step <= from.length) from.splice(q + step, 0, one);
    else survey.sections[s + step].questions.splice(step > 0 ? 0 : survey.sections[s + step].questions.length, 0, one);
    redraw(`${step > 0 ? "down" : "up"}-${one.id}`);
    announce(words.moved);
  }
  function copy(s, q) {
    const made = structuredClone(survey.sections[s].questions[q]);
    made.id = freshId();
    delete made.jumps;
    add(s, made, q + 1);
  }
  function remove(s, q) {
    const from = survey.sections[s].questions;
    from.splice(q, 1);
    const next = from[q] ?? from[q - 1];
    redraw(next ? `question-${next.id}` : `add-${survey.sections[s].id}`);
    announce(words.removed);
  }
  function addSection() {
    survey.sections.push({ id: freshId("s"), questions: [] });
    redraw(`/sections/${survey.sections.length - 1}/title/${settings.languages[0][0]}`);
  }
  function moveSection(s, step) {
    survey.sections.splice(s + step, 0, ...survey.sections.splice(s, 1));
    redraw();
  }
  function rekind(question, kind) {
    const usual = fresh(kind);
    for (const name of ["choices", "rows", "low", "high", "step", "ends", "other", "random"]) {
      const keeps = (name === "choices" && kinds.get(kind).choices) || (name === "random" && kinds.get(kind).choices);
      if (!keeps) delete question[name];
      if (usual[name] !== undefined && question[name] === undefined) question[name] = usual[name];
    }
    if (!Object.values(question.title ?? {}).some(Boolean)) question.title = usual.title;
    question.kind = kind;
    redraw(`kind-${question.id}`);
  }

  // --- Drawing -----------------------------------------------------------------------------------------------------
  function drawQuestion(section, question, s, q, n) {
    const path = `/sections/${s}/questions/${q}`;
    const kind = kinds.get(question.kind) ?? { label: question.kind, icon: "help" };
    const isOpen = open === question.id;
    const last = survey.sections.length - 1;
    const tools = settings.may ? el("span", { class: "seg-tools" },
      tool("arrow_upward", words.up, () => move(s, q, -1), { disabled: s === 0 && q === 0, "data-control": `up-${question.id}` }),
      tool("arrow_downward", words.down, () => move(s, q, 1), { disabled: s === last && q === section.questions.length - 1, "data-control": `down-${question.id}` }),
      tool("content_copy", words.copy, () => copy(s, q)),
      tool("delete", words.remove, () => remove(s, q))) : null;
    const flags = [question.required ? words.required : "", question.show_if ? words.conditional : "", question.jumps?.length ? words.jumping : ""].filter(Boolean);
    const head = el("div", { class: "sur-question-head" },
      el("button", { type: "button", class: "sur-fold", "aria-expanded": String(isOpen), "data-control": `question-${question.id}`, onclick: () => { open = isOpen ? null : question.id; redraw(`question-${question.id}`, true); } },
        icon(kind.icon), el("span", { class: "sur-number" }, `${n}`),
        el("span", { class: "sur-said" }, said(question.title) || words.untitled, el("span", { class: "desk-muted" }, [kind.label, ...flags].join(" · ")))),
      tools);
    const article = el("article", { class: `sur-question${isOpen ? " sur-is-open" : ""}`, "data-path": path, "aria-label": `${n}. ${said(question.title)}` }, head);
    article.append(isOpen ? drawOpen(section, question, s, q, path) : slot(path));
    return article;
  }
  function drawOpen(section, question, s, q, path) {
    const kind = kinds.get(question.kind) ?? {};
    const parts = [
      settings.may ? el("div", { class: "sur-line" },
        select(settings.kinds.map((one) => [one.kind, one.label]), question.kind, (next) => rekind(question, next), { "aria-label": words.kind, "data-control": `kind-${question.id}` }),
        question.kind === "statement" ? null : check(words.required, question, "required", redrawLater)) : null,
      texts(question, "title", `${path}/title`, words.title, changed, { pipes: pipesOf(s, q), lines: question.kind === "statement" ? 1 : 2 }),
      texts(question, "help", `${path}/help`, question.kind === "statement" ? words.text : words.help, changed, { lines: question.kind === "statement" ? 3 : 1 }),
    ];
    if (question.kind === "matrix") parts.push(P.choices(question, "rows", `${path}/rows`, words.rows, changed, redraw));
    if (kind.choices) {
      parts.push(P.choices(question, "choices", `${path}/choices`, words.choices, changed, redraw));
      parts.push(el("div", { class: "sur-line" },
        ["single", "multiple"].includes(question.kind) ? check(words.with_other, question, "other", changed) : null,
        check(words.random, question, "random", changed),
        question.kind === "multiple" ? number(words.at_least, question, "low", changed, { min: 0 }) : null,
        question.kind === "multiple" ? number(words.at_most, question, "high", changed, { min: 1 }) : null));
    }
    if (["slider", "number"].includes(question.kind)) {
      parts.push(el("div", { class: "sur-line" }, number(words.low, question, "low", changed), number(words.high, question, "high", changed),
        question.kind === "slider" ? number(words.step, question, "step", changed, { min: 1 }) : null));
    }
    if (question.kind === "stars") parts.push(el("div", { class: "sur-line" }, number(words.stars, question, "high", changed, { min: 3, max: 10, placeholder: 5 })));
    if (["short", "long"].includes(question.kind)) parts.push(el("p", { class: "desk-muted" }, question.kind === "short" ? words.short_hint : words.long_hint));
    if (["nps", "csat", "ces", "stars", "slider"].includes(question.kind)) {
      const ends = question.ends ?? [{}, {}];
      const pair = { 0: ends[0], 1: ends[1] };
      const keep = () => { set(question, "ends", pair[0] || pair[1] ? [pair[0] ?? {}, pair[1] ?? {}] : null); changed(); };
      parts.push(texts(pair, 0, `${path}/ends/0`, words.low_end, keep), texts(pair, 1, `${path}/ends/1`, words.high_end, keep));
    }
    const known = before(s, q);
    const logic = el("details", { class: "sur-logic", open: Boolean(question.show_if || question.jumps?.length) }, el("summary", {}, icon("alt_route"), words.logic),
      el("div", { class: "sur-part" }, el("span", { class: "sur-label" }, words.asked_if), P.condition(question, "show_if", `${path}/show_if`, known, changed, redraw)));
    if (!section.random) {
      const here = question.kind === "statement" ? known : [...known, question];
      logic.append(P.jumps(question, `${path}/jumps`, here, targets(s, q), changed, redraw));
    }
    parts.push(logic, slot(path));
    return el("div", { class: "sur-question-body" }, parts);
  }
  const bare = () => survey.sections.every((section) => !section.questions.length);
  function drawAdd(s) {
    const menu = el("details", { class: "sur-add", open: bare() },
      el("summary", { class: "seg-button", "data-control": `add-${survey.sections[s].id}` }, icon("add"), words.add),
      el("div", { class: "sur-menu" },
        el("div", { class: "sur-kinds" }, settings.kinds.map((one) => el("button", { type: "button", onclick: () => add(s, fresh(one.kind)) }, icon(one.icon), one.label))),
        el("p", { class: "sur-label" }, words.sets),
        el("div", { class: "sur-kinds" }, settings.sets.map((one) => el("button", { type: "button", onclick: () => addSet(s, one.questions) }, icon(one.icon), one.name)))));
    menu.addEventListener("keydown", (event) => { if (event.key === "Escape") { menu.open = false; menu.firstChild.focus(); } });
    return menu;
  }
  function drawSection(section, s, from) {
    const path = `/sections/${s}`;
    const several = survey.sections.length > 1;
    const details = el("details", { class: "sur-logic", open: Boolean(section.show_if) }, el("summary", {}, icon("tune"), words.section_more),
      check(words.random_questions, section, "random", redrawLater),
      s ? el("div", { class: "sur-part" }, el("span", { class: "sur-label" }, words.asked_if), P.condition(section, "show_if", `${path}/show_if`, before(s, 0), changed, redraw)) : null);
    return el("section", { class: "desk-card sur-section", "data-path": path, "aria-label": `${words.section} ${s + 1}` },
      el("div", { class: "sur-question-head" }, el("h2", { class: "desk-h3" }, several ? `${words.section} ${s + 1}` : words.questions),
        several && settings.may ? el("span", { class: "seg-tools" },
          tool("arrow_upward", words.up, () => moveSection(s, -1), { disabled: s === 0 }),
          tool("arrow_downward", words.down, () => moveSection(s, 1), { disabled: s === survey.sections.length - 1 }),
          tool("delete", words.remove, () => { if (!section.questions.length || window.confirm(say("sure", { n: section.questions.length }))) { survey.sections.splice(s, 1); redraw(); } })) : null),
      several ? texts(section, "title", `${path}/title`, words.section_title, changed) : null,
      settings.may || section.random || section.show_if ? details : null,
      el("div", { class: "sur-questions" }, section.questions.map((one, q) => drawQuestion(section, one, s, q, from + q))),
      section.questions.length ? null : el("p", { class: "desk-muted" }, words.empty),
      slot(path), slot(`${path}/questions`),
      settings.may ? drawAdd(s) : null);
  }
  function redraw(focus = null, untouched = false) {
    let n = 1;
    root.replaceChildren(
      ...survey.sections.map((section, s) => { const made = drawSection(section, s, n); n += section.questions.length; return made; }),
      settings.may ? el("button", { type: "button", class: "seg-button sur-add-section", onclick: addSection }, icon("playlist_add"), words.add_section) : null);
    const thanks = survey.thanks ?? {};
    const keep = () => { set(survey, "thanks", thanks.title || thanks.text ? thanks : null); changed(); };
    document.querySelector("[data-survey=thanks]").replaceChildren(
      el("h2", { class: "desk-h3" }, words.thanks), texts(thanks, "title", "/thanks/title", words.title, keep), texts(thanks, "text", "/thanks/text", words.text, keep, { lines: 2 }));
    const control = focus && document.querySelector(`[data-control="${CSS.escape(focus)}"]`);
    control?.focus({ preventScroll: Boolean(untouched) });
    if (untouched) show();
    else changed();
  }
  const redrawLater = () => redraw();

  // --- What the server says ----------------------------------------------------------------------------------------
  function show() {
    document.querySelectorAll(".seg-problem[data-path]").forEach((one) => { one.textContent = ""; });
    document.querySelectorAll(".sur-wrong").forEach((one) => one.classList.remove("sur-wrong"));
    const left = [];
    const writes = young === open && root.querySelector(".sur-is-open")?.dataset.path;
    const found = bare() ? [] : problems.filter((one) => !(writes && `${one.path}/`.startsWith(`${writes}/`)));
    for (const problem of found) {
      let path = problem.path;
      let place = null;
      while (path && !place) {
        place = root.parentNode.querySelector(`.seg-problem[data-path="${CSS.escape(path)}"]`);
        if (!place) path = path.slice(0, path.lastIndexOf("/"));
      }
      if (!place) { left.push(problem.sentence); continue; }
      if (!place.textContent.includes(problem.sentence)) place.textContent = `${place.textContent} ${problem.sentence}`.trim();
      place.closest(".sur-question")?.classList.add("sur-wrong");
    }
    document.querySelector("[data-survey=problems]").replaceChildren(...[...new Set(left)].map((text) => el("li", {}, text)));
    const told = document.querySelector("[data-survey=verdict]");
    if (told) told.textContent = bare() ? words.begin : !found.length && problems.length ? words.writing : found.length ? say(found.length === 1 ? "wrong_one" : "wrong", { n: found.length }) : words.fine;
    told?.classList.toggle("desk-bad", found.length > 0);
  }
  let waiting = 0;
  let asked = 0;
  async function judge() {
    const mine = ++asked;
    try {
      const answer = await fetch(settings.check, {
        method: "POST", headers: { "Content-Type": "application/json", "X-CSRFToken": settings.token() },
        body: JSON.stringify({ survey: settings.survey, definition: survey }),
      });
      if (mine !== asked) return;
      problems = answer.ok ? (await answer.json()).problems : [{ path: "", sentence: words.offline }];
    } catch { problems = [{ path: "", sentence: words.offline }]; }
    show();
  }
  function changed() {
    dirty = true;
    const title = root.querySelector(".sur-is-open .sur-said")?.firstChild;
    const now = survey.sections.flatMap((section) => section.questions).find((one) => one.id === open);
    if (title && now) title.textContent = said(now.title) || words.untitled;
    stored.value = JSON.stringify(survey);
    clearTimeout(waiting);
    waiting = setTimeout(judge, 350);
  }
  form.addEventListener("submit", () => { dirty = false; });
  window.addEventListener("beforeunload", (event) => { if (dirty && settings.may) event.preventDefault(); });
  redraw(null, true);
})();
