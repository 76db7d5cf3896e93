// Keys and small comforts. Every page works without them.
(() => {
  const at = (selector) => document.querySelector(selector);
  const focus = (field) => { if (field) { field.focus(); field.select?.(); } };
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
    keys[event.key]();
  });
  // A form is sent once, however often its button is pressed.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.sent) event.preventDefault();
    else form.dataset.sent = "yes";
  });
  window.addEventListener("pageshow", () => {
    document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent);
  });
  // A hand may be quicker than the page: what was typed before it listened is told again.
  document.addEventListener("htmx:load", (event) => {
    const amount = event.target === document.body ? at("#id_amount") : null;
    if (amount?.value) amount.dispatchEvent(new Event("input", { bubbles: true }));
  });
  // Enter in the field of the PIN means the big button.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.target.name !== "proof") return;
    const button = event.target.form.querySelector("button[value=record]");
    if (!button) return;
    event.preventDefault();
    button.click();
  });
})();
