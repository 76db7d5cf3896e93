// Cards of the board can be dragged to another column, which presses their own button for it: what a mouse does here,
// the buttons do for the keyboard and the finger.
let dragged = null;
const button = (column) => dragged?.querySelector(`button[name=to][value="${column.dataset.state}"]`);

for (const card of document.querySelectorAll(".case-card:has(button[name=to])")) {
  card.draggable = true;
  card.addEventListener("dragstart", (event) => {
    dragged = card;
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", "");
    for (const column of document.querySelectorAll(".case-column")) column.classList.toggle("case-takes", !!button(column));
  });
  card.addEventListener("dragend", () => {
    dragged = null;
    for (const column of document.querySelectorAll(".case-takes")) column.classList.remove("case-takes");
  });
}
for (const column of document.querySelectorAll(".case-column")) {
  column.addEventListener("dragover", (event) => {
    if (button(column)) event.preventDefault();
  });
  column.addEventListener("drop", (event) => {
    event.preventDefault();
    button(column)?.click();
  });
}
