// The gallery of gallery.py. Gradio runs this once as the body of a function of
// element, trigger, props, server, upload and watch.
const ASK_AGAIN_AFTER = 1000; // ms, when the test set is not loaded yet or the server is silent
const SIDE = 28;
const UNREACHABLE = "The server does not answer; asking again.";
const EVERYTHING = {
  label: null,
  prediction: null,
  only_mistakes: false,
  least_confident_first: false,
  page: 0,
};

const root = element.querySelector(".gallery");
const part = (name) => element.querySelector(name);
const filters = part(".filters");
const dialog = part("dialog");
const pagers = [...element.querySelectorAll(".pager button")];
const steps = [...element.querySelectorAll("[data-step]")];

let session = null;
let query = EVERYTHING;
let images = []; // of the page that is shown
let place = 0; // in that page, of the image in the dialog
let looked = null; // what the server said of that image
let sent = null; // the number of the image whose reading stands on the Draw tab
let asked = 0; // questions so far: only the answer to the last one is shown
let timer = null;

// ---- A page of images

async function ask() {
  clearTimeout(timer);
  const question = ++asked;
  const answer = await server.browse({ session, query }).catch(() => undefined);
  if (question !== asked) return;
  part(".error").textContent = answer ? answer.error ?? "" : UNREACHABLE;
  if (!answer || answer.state === "loading") timer = setTimeout(ask, ASK_AGAIN_AFTER);
  else if (!answer.error) show(answer);
}

function narrow(change) {
  query = { ...query, page: 0, ...change };
  showQuery();
  ask();
}

function showQuery() {
  for (const name of ["label", "prediction"]) filters[name].value = query[name] ?? "";
  for (const name of ["only_mistakes", "least_confident_first"]) {
    filters[name].checked = query[name];
  }
  const rows = [...part(".confusion").rows];
  rows.forEach((row, r) =>
    [...row.cells].forEach((cell, c) =>
      cell.classList.toggle("chosen", isChosen(r === 0 ? null : r - 1, c === 0 ? null : c - 1)),
    ),
  );
}

function isChosen(label, prediction) {
  const isSomething = label !== null || prediction !== null;
  return isSomething && label === query.label && prediction === query.prediction;
}

// Clicked once more, a number of the matrix gives back all images.
function choose(label, prediction) {
  if (isChosen(label, prediction)) narrow({ label: null, prediction: null });
  else narrow({ label, prediction, only_mistakes: query.only_mistakes && label !== prediction });
  if (filters.getBoundingClientRect().top > innerHeight / 2) filters.scrollIntoView();
}

function show(answer) {
  root.dataset.state = "ready";
  if (part(".facts").textContent !== answer.facts) showFigures(answer);
  query = { ...query, page: answer.page };
  images = answer.images;
  const pixels = bytesOf(answer.pixels);
  part(".pictures").replaceChildren(
    ...images.map((image, i) => picture(image, i, pixels.subarray(i * SIDE ** 2))),
  );
  part(".found").textContent = foundInWords(answer);
  for (const button of pagers) {
    const page = answer.page + Number(button.dataset.page);
    button.disabled = page < 0 || page >= answer.pages;
    button.hidden = answer.pages === 1;
  }
  showQuery();
}

function showFigures({ facts, data, confusion, recall }) {
  part(".facts").textContent = facts;
  part(".data").textContent = data;
  fillConfusion(part(".confusion"), confusion, choose);
  [...part(".confusion").rows].forEach((row, i) => {
    if (i === 0) return row.append(make("th", "Accuracy"));
    const share = make("td", `${(100 * recall[i - 1]).toFixed(1)}%`);
    share.title = `${share.textContent} of the images of a ${i - 1} were read right`;
    return row.append(share);
  });
}

function foundInWords({ found, page, pages }) {
  if (found === 0) return "No image is like that.";
  const count = found === 1 ? "1 image" : `${found.toLocaleString("en")} images`;
  return pages === 1 ? count : `${count}, page ${page + 1} of ${pages}`;
}

function picture(image, i, pixels) {
  const item = document.createElement("li");
  item.innerHTML =
    '<button type="button"><canvas></canvas><span></span><small></small></button>';
  const right = image.label === image.prediction;
  item.classList.toggle("wrong", !right);
  paintGrey(item.querySelector("canvas"), pixels.subarray(0, SIDE ** 2), SIDE, SIDE);
  const { label, prediction } = image;
  item.querySelector("span").textContent = right ? `${label} ✓` : `${label} as ${prediction}`;
  if (query.least_confident_first) {
    item.querySelector("small").textContent = `${percent(image.probability)} sure`;
  }
  const button = item.firstChild;
  button.title = `${inWords(image)}, ${percent(image.probability)} sure`;
  button.ariaLabel = button.title;
  button.addEventListener("click", () => look(i));
  return item;
}

function inWords({ index, label, prediction }) {
  const outcome = label === prediction ? "read right" : `read as ${prediction}`;
  return `Test image ${index}: a ${label}, ${outcome}`;
}

// ---- One image

async function look(i) {
  place = i;
  const { index } = images[i];
  const answer = await server.look({ session, index }).catch(() => undefined);
  if (place !== i || images[i]?.index !== index) return;
  part(".error").textContent = answer ? answer.error ?? "" : UNREACHABLE;
  if (!answer?.reading) return;
  looked = answer;
  showImage();
  if (!dialog.open) dialog.showModal();
}

function showImage() {
  const { guesses, stages } = looked.reading;
  part("#gallery-title").textContent = inWords({ ...looked, prediction: guesses[0].digit });
  const canvases = [part(".input"), ...element.querySelectorAll(".stages canvas")];
  [stages.at(-1), ...stages].forEach((stage, i) =>
    paintGrey(canvases[i], bytesOf(stage.pixels), stage.width, stage.height),
  );
  const rows = [...guesses].sort((a, b) => a.digit - b.digit).map(guessRow);
  rows[looked.label].classList.add("true");
  part(".guesses").replaceChildren(...rows);
  steps[0].disabled = place === 0;
  steps[1].disabled = place === images.length - 1;
}

function send({ index, label, reading }) {
  const detail = {
    ...reading,
    revision: undefined, // it is not one of the pad's
    guesses: reading.guesses.slice(0, 3),
    source: `Test image ${index}, a ${label}`,
  };
  document.dispatchEvent(new CustomEvent("reading", { detail }));
  sent = index;
}

// What was sent is read by the network that is in use, until something else is read.
async function sendAgain() {
  const index = sent;
  const answer = await server.look({ session, index }).catch(() => undefined);
  if (sent === index && answer?.reading) send(answer);
}

document.addEventListener("reading", () => (sent = null));

// ---- Clicks and keys

filters.addEventListener("change", ({ target }) => {
  if (target.type === "checkbox") narrow({ [target.name]: target.checked });
  else narrow({ [target.name]: target.value === "" ? null : Number(target.value) });
});
filters.addEventListener("reset", (event) => {
  event.preventDefault();
  narrow(EVERYTHING);
});
filters.addEventListener("submit", (event) => event.preventDefault());
for (const button of pagers) {
  button.addEventListener("click", () => {
    narrow({ page: query.page + Number(button.dataset.page) });
    if (filters.getBoundingClientRect().bottom < 0) filters.scrollIntoView();
  });
}
for (const button of steps) {
  button.addEventListener("click", () => look(place + Number(button.dataset.step)));
}
dialog.addEventListener("keydown", ({ key }) => {
  const step = { ArrowLeft: 0, ArrowRight: 1 }[key];
  if (step !== undefined && !steps[step].disabled) steps[step].click();
});
dialog.addEventListener("click", ({ target }) => {
  if (target === dialog || target.matches(".close")) dialog.close();
});
part(".send").addEventListener("click", () => {
  send(looked);
  dialog.close();
  trigger("sent");
});

// Python names the session when the page opens, and the network when another one is in use.
function receive() {
  if (!props.value) return;
  ({ session } = props.value);
  ask();
  if (dialog.open) dialog.close();
  if (sent !== null) sendAgain();
}
watch("value", receive);
receive();
