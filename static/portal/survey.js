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
document.querySelector(".survey-form .wrong :is(input, select, textarea)")?.focus();
