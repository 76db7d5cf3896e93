// Small comforts. Every page works without them.
(() => {
  // The card stays lit while it is shown at the till.
  if (document.body.classList.contains("card-page") && "wakeLock" in navigator) {
    const light = () => document.visibilityState === "visible" && navigator.wakeLock.request("screen").catch(() => {});
    document.addEventListener("visibilitychange", light);
    light();
  }
  // Offers that end soon count down. Without script their end stands beside it.
  const counts = [...document.querySelectorAll("[data-count]")];
  const two = (n) => String(n).padStart(2, "0");
  const tick = () => {
    for (const count of counts) {
      const left = Math.max(0, Math.floor((new Date(count.dateTime) - Date.now()) / 1000));
      const days = Math.floor(left / 86400);
      const clock = `${days ? `${days}${count.dataset.day} ` : ""}${two(Math.floor(left / 3600) % 24)}:${two(Math.floor(left / 60) % 60)}:${two(left % 60)}`;
      count.textContent = left ? count.dataset.left.replace("TIME", clock) : count.dataset.over;
    }
  };
  if (counts.length) {
    tick();
    setInterval(tick, 1000);
  }
  // What was looked at is told, and not by looking alone: a page that is fetched ahead was seen by nobody.
  document.querySelectorAll("form[data-tell]").forEach((form) => {
    const tell = () => fetch(form.action, { method: "POST", body: new FormData(form) }).catch(() => {});
    if (document.visibilityState === "visible") tell();
    else document.addEventListener("visibilitychange", tell, { once: true });
  });
  // A form is sent once, however often its button is pressed.
  document.addEventListener("submit", (event) => {
    if (event.defaultPrevented) return;
    if (event.target.dataset.sent) event.preventDefault();
    else if (event.target.method === "post") event.target.dataset.sent = "yes";
  });
  window.addEventListener("pageshow", () => {
    document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent);
  });
  // The button that brought another page of a list is gone with the old one: the focus goes to what is new.
  document.addEventListener("htmx:afterSettle", () => {
    if (document.activeElement === document.body) document.querySelector("#list [role=status]")?.focus({ preventScroll: true });
  });
  // A passkey that was refused or cancelled is said on the page.
  document.addEventListener("allauth.error", (event) => {
    event.preventDefault();
    document.getElementById("passkey-error").hidden = false;
  });
})();
