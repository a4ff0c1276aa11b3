// The confusion matrix, for the report and the gallery.
function make(tag, text) {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}

function rowOf(...cells) {
  const row = document.createElement("tr");
  row.append(...cells);
  return row;
}

// Rows are the true digits. With `choose` cells and margins are buttons that call it with the true
// digit and the one that was read; at the margins one of the two is null.
function fillConfusion(table, counts, choose) {
  const cell = (tag, text, title, ...digits) => {
    const made = make(tag, choose && text !== "" ? "" : text);
    made.title = title;
    if (choose && text !== "") {
      const button = make("button", text);
      button.type = "button";
      button.ariaLabel = title;
      button.addEventListener("click", () => choose(...digits));
      made.append(button);
    }
    return made;
  };
  const heads = counts.map((_, digit) => cell("th", digit, `Read as ${digit}`, null, digit));
  const rows = counts.map((row, label) => {
    const sum = Math.max(1, row.reduce((a, b) => a + b));
    const cells = row.map((count, prediction) => {
      const title = `${count} of ${sum} images of a ${label} were read as ${prediction}`;
      const made = cell("td", count || "", title, label, prediction);
      // A few mistakes among a thousand are what one looks for: the square root lifts them.
      const share = Math.round(100 * Math.sqrt(count / sum));
      const color = prediction === label ? "var(--color-accent)" : "#3b82f6";
      made.style.background = `color-mix(in srgb, ${color} ${share}%, transparent)`;
      return made;
    });
    return rowOf(cell("th", label, `Images of a ${label}`, label, null), ...cells);
  });
  table.replaceChildren(rowOf(make("th", ""), ...heads), ...rows);
}
