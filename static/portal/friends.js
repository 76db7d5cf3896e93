// Sharing: the device's own sheet, the clipboard, and a count of what was used. The page works without it.
(() => {
  const share = document.querySelector(".share");
  if (!share) return;
  const form = share.querySelector("form[data-count]");
  const counted = (channel) => {
    form.elements.channel.value = channel;
    fetch(form.action, { method: "POST", body: new FormData(form), keepalive: true }).catch(() => {});
  };
  const own = share.querySelector("[data-share]");
  if (navigator.share) {
    own.hidden = false;
    own.addEventListener("click", async () => {
      try {
        await navigator.share({ title: share.dataset.title, text: share.dataset.text, url: share.dataset.link });
        counted("device");
      } catch {
        // Closed without sharing.
      }
    });
  }
  const copy = share.querySelector("[data-copy]");
  const field = share.querySelector(".link");
  copy.hidden = false;
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(field.value);
    } catch {
      field.select();
      document.execCommand("copy");
    }
    copy.querySelector("span").textContent = copy.dataset.done;
    counted("copy");
  });
  share.querySelectorAll("[data-channel]").forEach((link) => link.addEventListener("click", () => counted(link.dataset.channel)));
})();
