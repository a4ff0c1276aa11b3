// The answer of answer.py. Gradio runs this once as the body of a function of
// element, trigger, props, server, upload and watch.
const LONG = 4; // digits of a number: from here on they stand in two columns

const root = element.querySelector(".answer");
const digit = element.querySelector(".digit");
const list = element.querySelector(".guesses");
const error = element.querySelector(".error");
const source = element.querySelector(".source");
const spoken = element.querySelector("[role=status]");
const input = element.querySelector("#network-input");
const stages = [...element.querySelectorAll(".stages canvas")];
const captions = [...element.querySelectorAll(".stages span")];
let shown = -1; // the revision on the page

function paint(canvas, { pixels, width, height }) {
  paintGrey(canvas, bytesOf(pixels), width, height);
}

function wipe(canvas) {
  canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
}

// One digit of a number, with what else it may be.
function digitRow(digit) {
  const row = guessRow(digit);
  const others = document.createElement("small");
  const rest = digit.guesses.slice(1).map((guess) => `${guess.digit} (${percent(guess.probability)})`);
  others.textContent = `or ${rest.join(", ")}`;
  row.append(others);
  return row;
}

function show(reading) {
  if (!reading || reading.revision < shown) return;
  error.textContent = reading.error ?? "";
  if (reading.error) return;
  shown = reading.revision ?? shown; // what comes from elsewhere than the pad counts nothing
  source.textContent = reading.source ?? "";
  const empty = reading.guesses.length === 0;
  root.classList.toggle("empty", empty);
  root.classList.toggle("unsure", !empty && !reading.sure);
  const isNumber = reading.digits.length > 1;
  root.classList.toggle("number", isNumber);
  root.classList.toggle("long", reading.digits.length >= LONG);
  digit.textContent = reading.sure ? reading.number : "?";
  digit.style.setProperty("--digits", digit.textContent.length);
  list.replaceChildren(...(isNumber ? reading.digits.map(digitRow) : reading.guesses.map(guessRow)));
  captions.forEach((caption, i) => (caption.textContent = (reading.captions ?? props.captions)[i]));
  if (reading.stages.length) {
    stages.forEach((canvas, i) => paint(canvas, reading.stages[i]));
    paint(input, reading.stages.at(-1));
  } else {
    [...stages, input].forEach(wipe);
  }
}

document.addEventListener("reading", (event) => show(event.detail));
// Python answers when a stroke has ended: only then is the answer read out.
watch("value", () => {
  show(props.value);
  const best = props.value?.guesses?.[0];
  const doubt = props.value?.sure ? "" : "Not sure this is a digit; perhaps ";
  spoken.textContent = best
    ? `${doubt}${best.digit}, ${percent(best.probability)}`
    : "The pad is empty";
});
