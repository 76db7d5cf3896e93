// Numbers with an upper and a lower end become sliders; nothing is answered until one is moved.
for (const field of document.querySelectorAll("[data-slider]")) {
  const slider = document.createElement("input");
  const told = document.createElement("output");
  const row = document.createElement("span");
  Object.assign(slider, { type: "range", min: field.dataset.low, max: field.dataset.high, step: field.dataset.step, id: field.id });
  slider.value = field.value || (Number(slider.min) + Number(slider.max)) / 2;
  told.textContent = field.value || "–";
  field.type = "hidden";
  field.removeAttribute("id");
  row.className = "slider-row";
  field.after(row);
  row.append(slider, told);
  slider.addEventListener("input", () => {
    field.value = told.textContent = slider.value;
  });
}
// Who copies sheets of paper types on at once; what is wrong comes first.
document.querySelector("[data-copies] :is(input:not([type=hidden]), select, textarea)")?.focus();
document.querySelector(".survey-form .wrong :is(input, select, textarea)")?.focus();

// Without a network nothing that was typed is lost: it is sent when the network is back.
const form = document.querySelector(".survey-form");
if (form) {
  let waits = false;
  form.addEventListener("submit", (event) => {
    if (navigator.onLine) return;
    event.preventDefault();
    if (waits) return;
    waits = true;
    const told = document.createElement("p");
    Object.assign(told, { className: "notice", textContent: form.dataset.offline });
    told.setAttribute("role", "status");
    form.append(told);
    window.addEventListener("online", () => form.submit(), { once: true });
  });
  // A tablet begins anew when whoever stood there has gone; what they had answered is kept as begun.
  if (form.dataset.idle) {
    let timer;
    const restart = () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        if (navigator.onLine && !waits) location.assign(form.dataset.start);
        else restart();
      }, Number(form.dataset.idle) * 1000);
    };
    for (const kind of ["pointerdown", "keydown", "scroll", "input"]) addEventListener(kind, restart, { passive: true });
    restart();
  }
}
