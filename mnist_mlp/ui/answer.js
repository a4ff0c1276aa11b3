// The answer of answer.py. Gradio runs this once as the body of a function of
// element, trigger, props, server, upload and watch.
const root = element.querySelector(".answer");
const digit = element.querySelector(".digit");
const list = element.querySelector(".guesses");
const error = element.querySelector(".error");
const spoken = element.querySelector("[role=status]");
const input = element.querySelector("#network-input");
const stages = [...element.querySelectorAll(".stages canvas")];
let shown = -1; // the revision on the page

function percent(probability) {
  if (probability > 0.99) return ">99%";
  if (probability < 0.01) return "<1%";
  return `${Math.round(100 * probability)}%`;
}

function row({ digit, probability }) {
  const item = document.createElement("li");
  item.innerHTML = '<span></span><div class="bar"><i></i></div><span class="share"></span>';
  item.firstChild.textContent = digit;
  item.querySelector("i").style.width = `${100 * probability}%`;
  item.lastChild.textContent = percent(probability);
  return item;
}

function paint(canvas, image) {
  canvas.width = image.width;
  canvas.height = image.height;
  const grey = Uint8Array.from(atob(image.pixels), (character) => character.charCodeAt(0));
  const pixels = new Uint32Array(grey.length);
  for (let i = 0; i < grey.length; i++) pixels[i] = 0xff000000 | (grey[i] * 0x010101);
  const data = new ImageData(new Uint8ClampedArray(pixels.buffer), image.width, image.height);
  canvas.getContext("2d").putImageData(data, 0, 0);
}

function wipe(canvas) {
  canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
}

function show(reading) {
  if (!reading || reading.revision < shown) return;
  error.textContent = reading.error ?? "";
  if (reading.error) return;
  shown = reading.revision;
  const empty = reading.guesses.length === 0;
  root.classList.toggle("empty", empty);
  root.classList.toggle("unsure", !empty && !reading.sure);
  const isNumber = reading.digits.length > 1;
  digit.textContent = reading.sure ? reading.number : "?";
  digit.style.setProperty("--digits", digit.textContent.length);
  list.replaceChildren(...(isNumber ? reading.digits : reading.guesses).map(row));
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
