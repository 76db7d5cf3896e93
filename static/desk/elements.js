// What the editors make their pages of: elements, icons, and what the server put into the page.
"use strict";
window.deskElements = (() => {
  const read = (id) => JSON.parse(document.getElementById(id)?.textContent ?? "null");
  let ids = 0;
  const nextId = (prefix) => `${prefix}-${++ids}`;

  /** An element with attributes, listeners (on…) and children. */
  function el(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value === false || value === null || value === undefined) continue;
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (name === "value") made.value = value;
      else made.setAttribute(name, value === true ? "" : value);
    }
    made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
    return made;
  }
  const icon = (name) => el("span", { class: "material-symbols-outlined", "aria-hidden": "true" }, name);

  return { read, nextId, el, icon };
})();
