// Puts a merge field where the cursor was last, in a subject or a text.
(() => {
  let target = null;
  document.addEventListener("focusin", (event) => {
    if (event.target.matches("[name^=subject], [name^=body]")) target = event.target;
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-field]");
    if (!button) return;
    const seen = [...document.querySelectorAll("[name^=body]")].find((area) => area.offsetParent);
    const into = target && target.offsetParent ? target : seen;
    if (!into) return;
    into.setRangeText(`{{ ${button.dataset.field} }}`, into.selectionStart, into.selectionEnd, "end");
    into.focus();
    into.dispatchEvent(new Event("input", { bubbles: true }));
  });
})();
