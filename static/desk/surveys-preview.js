// What is chosen for the preview is shown at once; without a script there is the button.
"use strict";
for (const one of document.querySelectorAll(".sur-look select, .sur-look input")) {
  one.addEventListener("change", () => one.form.requestSubmit());
}
