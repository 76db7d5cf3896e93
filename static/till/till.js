// Keys and small comforts. Every page works without them.
(() => {
  const at = (selector) => document.querySelector(selector);
  const focus = (field) => { if (field) { field.focus(); field.select?.(); } };
  // Whoever left while a purchase is being recorded would not see that it was, and might record it again.
  const isSending = () => Date.now() - at("form[data-sent]")?.dataset.sent < 10_000;
  const keys = {
    F2: () => focus(at("#scan")),
    F4: () => focus(at("#id_amount")),
    F8: () => at("#rewards")?.click(),
    F9: () => at("main .button.go")?.click(),
    Escape: () => at("#next")?.click(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || !keys[event.key]) return;
    event.preventDefault();
    if (!isSending()) keys[event.key]();
  });
  // A form is sent once, however often its button is pressed.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.sent) event.preventDefault();
    else form.dataset.sent = Date.now();
  });
  window.addEventListener("pageshow", () => {
    document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent);
  });
  // A hand may be quicker than the page: what was typed before it listened is told again.
  document.addEventListener("htmx:load", (event) => {
    const amount = event.target === document.body ? at("#id_amount") : null;
    if (amount && amount.value !== amount.defaultValue) amount.dispatchEvent(new Event("input", { bubbles: true }));
  });
  // Leaving a field is a change, too: the same fields are weighed once, or a PIN that is being typed would be lost.
  const typed = () =>
    [...document.querySelectorAll("#fields input")].map((field) => (field.type === "checkbox" ? field.checked : field.value)).join("\n");
  let weighed = null;
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (typed() === weighed) event.preventDefault();
    weighed = typed();
  });
  document.addEventListener("htmx:afterRequest", (event) => { if (!event.detail.successful) weighed = null; });
  // Enter in the field of the PIN means the big button.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.target.name !== "proof") return;
    const button = event.target.form.querySelector("button[value=record]");
    if (!button) return;
    event.preventDefault();
    button.click();
  });
})();
