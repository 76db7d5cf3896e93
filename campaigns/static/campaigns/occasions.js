// Shows of a day's numbers only those that its rule asks for. Without it all stand there, and the rest are not used.
(() => {
  const needs = { solar: ["month", "day"], lunar: ["month", "day"], weekday: ["month", "nth", "weekday", "offset"], easter: ["offset"], dated: ["on"] };
  document.addEventListener("DOMContentLoaded", () => {
    const rule = document.getElementById("id_rule");
    if (!rule) return;
    const show = () => {
      for (const name of ["month", "day", "nth", "weekday", "offset", "on"]) {
        const field = document.querySelector(`.field-${name}`) || document.getElementById(`id_${name}`)?.closest(".field-row, .form-row");
        if (field) field.hidden = !needs[rule.value]?.includes(name);
      }
    };
    rule.addEventListener("change", show);
    show();
  });
})();
