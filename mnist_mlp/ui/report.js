// The report of report.py. Gradio runs this once as the body of a function of
// element, trigger, props, server, upload and watch.
const SIDE = 28;
const root = element.querySelector(".report");
const part = (name) => element.querySelector(name);

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

function confusionRow(counts, digit) {
  const sum = Math.max(1, counts.reduce((a, b) => a + b));
  const cells = counts.map((count, column) => {
    const cell = make("td", count || "");
    // A few mistakes among a thousand are what one looks for: the square root lifts them.
    const share = Math.round(100 * Math.sqrt(count / sum));
    const color = column === digit ? "var(--color-accent)" : "#3b82f6";
    cell.style.background = `color-mix(in srgb, ${color} ${share}%, transparent)`;
    cell.title = `${count} of ${sum} images of a ${digit} were read as ${column}`;
    return cell;
  });
  return rowOf(make("th", digit), ...cells);
}

function mistake({ pixels, label, prediction, probability }) {
  const item = document.createElement("li");
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIDE;
  const image = new ImageData(SIDE, SIDE);
  [...atob(pixels)].forEach((character, i) => {
    image.data.fill(character.charCodeAt(0), 4 * i, 4 * i + 3);
    image.data[4 * i + 3] = 255;
  });
  canvas.getContext("2d").putImageData(image, 0, 0);
  const text = `${label}, read as ${prediction}`;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", text);
  canvas.title = `${Math.round(100 * probability)}% sure`;
  item.append(canvas, make("span", text));
  return item;
}

function link({ href, text }) {
  const made = make("a", text);
  made.href = href;
  made.download = "";
  return made;
}

const percent = (share) => `${(100 * share).toFixed(1)}%`;

function show(report) {
  root.hidden = !report;
  if (!report) return;
  part("h3").textContent = report.title;
  part(".facts").textContent = report.facts;
  part(".downloads").replaceChildren(...report.downloads.map(link));
  const digits = [...report.confusion.keys()];
  part(".confusion").replaceChildren(
    rowOf(make("th", ""), ...digits.map((digit) => make("th", digit))),
    ...report.confusion.map(confusionRow),
  );
  part(".digits").replaceChildren(
    rowOf(make("th", "Digit"), make("th", "Precision"), make("th", "Recall")),
    ...digits.map((digit) =>
      rowOf(
        make("th", digit),
        make("td", percent(report.precision[digit])),
        make("td", percent(report.recall[digit])),
      ),
    ),
  );
  part(".mistakes-title").textContent = report.mistakes.length
    ? `The ${report.mistakes.length} mistakes it is surest of`
    : "It made no mistake";
  part(".mistakes").replaceChildren(...report.mistakes.map(mistake));
}

watch("value", () => show(props.value));
