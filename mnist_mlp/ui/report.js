// The report of report.py. Gradio runs this once as the body of a function of
// element, trigger, props, server, upload and watch.
const SIDE = 28;
const root = element.querySelector(".report");
const part = (name) => element.querySelector(name);

function mistake({ pixels, label, prediction, probability }) {
  const item = document.createElement("li");
  const canvas = document.createElement("canvas");
  paintGrey(canvas, bytesOf(pixels), SIDE, SIDE);
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
  fillConfusion(part(".confusion"), report.confusion);
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
