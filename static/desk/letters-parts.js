// Small parts of the editor of messages: elements, fields for each shape of part, the menu of merge fields.
// docs/templates.md.
"use strict";
window.letterParts = (() => {
  const { read, nextId, el, icon } = window.deskElements;
  const words = read("letter-words") ?? {};
  const settings = read("letter-settings") ?? {};
  const kinds = new Map((read("letter-kinds") ?? []).map((kind) => [kind.name, kind]));

  function select(options, value, onchange, label) {
    const made = el("select", { class: "seg-input", "aria-label": label, onchange: () => onchange(made.value) });
    for (const [key, text] of options) made.append(el("option", { value: key }, text));
    made.value = value ?? "";
    if (made.selectedIndex < 0) made.selectedIndex = 0;
    return made;
  }

  // --- Merge fields go where the cursor was last ---------------------------------------------------------------------
  let target = null;
  document.addEventListener("focusin", (event) => {
    if (event.target.matches("[data-liquid]")) target = event.target;
  });
  function insert(name) {
    const into = target?.isConnected && target.offsetParent ? target : document.querySelector("#letter-blocks [data-liquid]");
    if (!into) return;
    into.setRangeText(`{{ ${name} }}`, into.selectionStart, into.selectionEnd, "end");
    into.focus();
    into.dispatchEvent(new Event("input", { bubbles: true }));
  }
  function fieldMenu() {
    const list = el("ul", { class: "let-fields" });
    const draw = (wanted) => {
      list.replaceChildren(...settings.fields
        .filter(([name, label]) => `${name} ${label}`.toLowerCase().includes(wanted))
        .map(([name, label, sample]) =>
          el("li", {}, el("button", { type: "button", onclick: () => { menu.open = false; insert(name); } },
            el("span", {}, label), el("code", {}, name), el("span", { class: "desk-muted" }, sample)))));
    };
    const find = el("input", { class: "seg-input", type: "search", "aria-label": words.search_field, placeholder: words.search_field,
      oninput: () => draw(find.value.trim().toLowerCase()) });
    const menu = el("details", { class: "let-menu",
      ontoggle: () => { if (menu.open) { find.value = ""; draw(""); find.focus(); } },
      onkeydown: (event) => { if (event.key === "Escape") { menu.open = false; menu.firstChild.focus(); } },
    }, el("summary", { class: "seg-button" }, icon("data_object"), words.insert), el("div", { class: "let-drop" }, find, list));
    document.addEventListener("pointerdown", (event) => { if (!menu.contains(event.target)) menu.open = false; });
    return menu;
  }

  // --- What is filled in -------------------------------------------------------------------------------------------
  /** A text in each language that is being written. */
  function texts(holder, part, changed, state) {
    const value = (holder[part.name] ??= {});
    const long = part.shape === "words" || part.shape === "sms";
    const cells = settings.languages
      .filter(([code]) => !state.write || state.write === code)
      .map(([code, label]) => {
        const field = el(long ? "textarea" : "input", {
          class: "seg-input let-text-field", "data-liquid": true, lang: code === "zh-hans" ? "zh-Hans" : code,
          "aria-label": `${part.label}, ${label}`, value: value[code] ?? "", "data-path": `${part.name}:${code}`,
          ...(long ? { rows: part.shape === "sms" ? 2 : Math.min(14, Math.max(3, (value[code] ?? "").split("\n").length + 1)) } : { type: "text" }),
          oninput: () => { value[code] = field.value; changed(); },
        });
        return el("label", { class: "let-cell-text" }, state.write ? null : el("span", { class: "seg-of" }, label), field,
          el("span", { class: "seg-problem", "data-problem": `${part.name}:${code}` }));
      });
    return el("div", { class: "let-texts" }, cells);
  }

  function link(block, part, changed) {
    const isPlace = () => settings.places.some(([name]) => name === block[part.name]);
    const box = el("span", { class: "seg-line" });
    const draw = () => {
      const options = [...(part.required ? [] : [["", words.none]]), ...settings.places, [":", `${words.address}…`]];
      const chosen = isPlace() || (!block[part.name] && !part.required) ? block[part.name] ?? "" : ":";
      const pick = select(options, chosen, (value) => { block[part.name] = value === ":" ? "https://" : value; draw(); changed(); }, part.label);
      const own = chosen === ":"
        ? el("input", { class: "seg-input let-wide", type: "url", "aria-label": words.address, value: block[part.name] ?? "",
          oninput: (event) => { block[part.name] = event.target.value; changed(); } })
        : null;
      box.replaceChildren(pick, ...(own ? [own] : []));
    };
    if (!block[part.name] && part.required) block[part.name] = settings.places[0]?.[0] ?? "https://";
    draw();
    return box;
  }

  function picture(block, part, changed) {
    const box = el("span", { class: "seg-line" });
    const said = el("span", { class: "desk-muted", role: "status" });
    const file = el("input", { type: "file", accept: "image/jpeg,image/png,image/webp", "aria-label": words.upload, onchange: async () => {
      if (!file.files.length) return;
      said.textContent = words.uploading;
      const body = new FormData();
      body.append("picture", file.files[0]);
      try {
        const answer = await fetch(settings.upload_url, { method: "POST", body, headers: { "X-CSRFToken": token() } });
        const found = await answer.json();
        said.textContent = found.problem ?? "";
        if (found.picture) { block[part.name] = found.picture; draw(); changed(); }
      } catch { said.textContent = words.offline; }
    } });
    const draw = () => box.replaceChildren(
      ...(block[part.name] ? [el("img", { class: "let-image", src: settings.picture_url.replace("NAME", block[part.name]), alt: "" })] : []), file, said);
    draw();
    return box;
  }
  const token = () => document.querySelector("[name=csrfmiddlewaretoken]").value;

  function rewards(block, part, changed) {
    const chosen = Array.isArray(block[part.name]) ? block[part.name] : [];
    const set = (at, value) => { chosen[at] = Number(value) || null; block[part.name] = chosen.filter(Boolean); changed(); };
    return el("span", { class: "seg-line" }, [0, 1, 2].map((at) =>
      select([["", words.choose], ...settings.rewards], chosen[at], (value) => set(at, value), `${part.label} ${at + 1}`)));
  }

  const number = (options, empty) => (block, part, changed) =>
    select([["", empty], ...options()], block[part.name], (value) => { block[part.name] = value ? Number(value) : null; changed(); }, part.label);
  const shapes = {
    link, picture, rewards,
    offer: number(() => settings.offers, words.none),
    survey: number(() => settings.surveys, words.none),
    snippet: number(() => settings.snippets, words.choose),
    choice: (block, part, changed, redraw) => {
      block[part.name] ||= part.choices[0][0];
      return select(part.choices, block[part.name], (value) => { block[part.name] = value; redraw(); changed(); }, part.label);
    },
    field: (block, part, changed) =>
      select([["", words.choose], ...settings.fields.map(([name, label]) => [name, label])], block[part.name], (value) => { block[part.name] = value; changed(); }, part.label),
    value: (block, part, changed) =>
      ["filled", "empty"].includes(block.op) ? null
        : el("input", { class: "seg-input seg-text", type: "text", "aria-label": part.label, value: block[part.name] ?? "",
          oninput: (event) => { block[part.name] = event.target.value; changed(); } }),
    category: (block, part, changed) => select([["", words.none], ...settings.categories.map((one) => [one, one])], block[part.name], (value) => { block[part.name] = value; changed(); }, part.label),
  };

  return { el, icon, select, fieldMenu, texts, shapes, words, settings, kinds, nextId, token };
})();
