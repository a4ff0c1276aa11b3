// The pad of pad.py. Gradio runs this once as the body of a function of
// element, trigger, props, server, upload and watch.
const PAD = 256; // pad units a side, y down
const MARGIN = 256; // a captured pen may leave the pad that far
const MAX_STROKES = 200;
const MAX_POINTS = 20000;
const CLOSEST = 0.75; // pad units; nearer points show no difference
const ASK_EVERY = 50; // ms
const GIVE_UP_AFTER = 5000; // ms
const UNREACHABLE = "The server does not answer. Your drawing is kept.";
const INK = "#14161a";

const root = element.querySelector(".pad");
const canvas = element.querySelector("canvas");
const context = canvas.getContext("2d");
const hint = element.querySelector(".hint");
const note = element.querySelector(".full");
const slider = element.querySelector("input");
const buttons = Object.fromEntries(
  [...element.querySelectorAll("button")].map((button) => [button.dataset.action, button]),
);

// Every state of the drawing, each a list of strokes; undo and redo only move the place.
let history = [[]];
let place = 0;
let stroke = null; // the one being drawn: {xs, ys}
let pointer = null;
let points = 0;
let revision = 0;
let { session, network } = props.value;

const strokes = () => (stroke ? [...history[place], stroke] : history[place]);

function value() {
  return {
    drawing: strokes().map(({ xs, ys }) => [xs, ys]),
    brush: Number(slider.value),
    revision,
    session,
    network,
  };
}

// ---- Painting

function paint() {
  const side = Math.round(canvas.clientWidth * devicePixelRatio);
  if (!side) return;
  if (canvas.width !== side) canvas.width = canvas.height = side;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, side, side);
  for (const each of strokes()) paintFrom(each, 0);
}

function paintFrom({ xs, ys }, first) {
  const scale = canvas.width / PAD;
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.strokeStyle = INK;
  context.lineWidth = Number(slider.value);
  context.lineCap = context.lineJoin = "round";
  context.beginPath();
  context.moveTo(xs[first], ys[first]);
  // A line without length would not be drawn, and a tap is to leave a dot.
  if (xs.length === 1) context.lineTo(xs[0] + 0.01, ys[0]);
  for (let i = first + 1; i < xs.length; i++) context.lineTo(xs[i], ys[i]);
  context.stroke();
}

function showState() {
  hint.classList.toggle("hidden", strokes().length > 0);
  buttons.undo.disabled = place === 0;
  buttons.redo.disabled = place === history.length - 1;
  buttons.clear.disabled = strokes().length === 0;
}

// ---- Asking for answers

let timer = null;
let lastAsked = -ASK_EVERY;
let waitingFor = null; // the request under way
let answered = 0; // the latest revision whose request is over
let superseded = false; // in the answer, by a picture or a test image
let handsOver = false; // once the live answer is there, so as not to delay it

function changed(isMoving = false) {
  revision++;
  root.dataset.state = "waiting";
  showState();
  askSoon(isMoving);
}

// While the pen moves there is a pause between questions; a finished stroke does not wait for it.
function askSoon(isMoving = false) {
  if (waitingFor !== null || (isMoving && timer !== null)) return;
  clearTimeout(timer);
  timer = null;
  const pause = isMoving ? lastAsked + ASK_EVERY - performance.now() : 0;
  if (pause > 0) timer = setTimeout(ask, pause);
  else ask();
}

async function ask() {
  timer = null;
  lastAsked = performance.now();
  const asked = revision;
  const request = (waitingFor = Symbol("request"));
  const settle = () => {
    if (waitingFor !== request) return;
    waitingFor = null;
    answered = asked;
    if (answered !== revision) askSoon(pointer !== null);
    else becomeIdle();
  };
  const patience = setTimeout(settle, GIVE_UP_AFTER);
  // Gradio's client turns most failures into `undefined`.
  const reading = await server.read(value()).catch(() => undefined);
  announce(reading ?? { revision: asked, error: UNREACHABLE });
  clearTimeout(patience);
  settle();
}

function becomeIdle() {
  root.dataset.state = "answered";
  if (!handsOver) return;
  handsOver = false;
  props.value = value();
  trigger("input");
}

function announce(reading) {
  document.dispatchEvent(new CustomEvent("reading", { detail: reading }));
  superseded = false;
}

document.addEventListener("reading", () => (superseded = true));

// Ask for what is not answered yet, and hand the drawing to Python after that.
function finish() {
  handsOver = true;
  if (answered !== revision) askSoon();
  else becomeIdle();
}

// ---- The pen

function toPad(event) {
  const box = canvas.getBoundingClientRect();
  const clamp = (v) => Math.min(Math.max(v, -MARGIN), PAD + MARGIN);
  const round = (v) => Math.round(v * 10) / 10;
  return [
    round(clamp(((event.clientX - box.left) / box.width) * PAD)),
    round(clamp(((event.clientY - box.top) / box.height) * PAD)),
  ];
}

function extend(event) {
  const [x, y] = toPad(event);
  const last = stroke.xs.length - 1;
  if (last >= 0 && Math.hypot(x - stroke.xs[last], y - stroke.ys[last]) < CLOSEST) return false;
  if (points >= MAX_POINTS) {
    note.textContent = "The pad is full. Undo or clear to go on.";
    return false;
  }
  stroke.xs.push(x);
  stroke.ys.push(y);
  points++;
  return true;
}

canvas.addEventListener("pointerdown", (event) => {
  if (pointer !== null || event.button !== 0) return;
  if (history[place].length >= MAX_STROKES) {
    note.textContent = "The pad is full. Undo or clear to go on.";
    return;
  }
  pointer = event.pointerId;
  canvas.setPointerCapture(pointer);
  stroke = { xs: [], ys: [] };
  if (!extend(event)) {
    stroke = pointer = null;
    return;
  }
  paintFrom(stroke, 0);
  changed();
});

canvas.addEventListener("pointermove", (event) => {
  if (event.pointerId !== pointer) return;
  const before = stroke.xs.length;
  const moves = event.getCoalescedEvents?.() ?? [];
  for (const move of moves.length ? moves : [event]) extend(move);
  if (stroke.xs.length === before) return;
  paintFrom(stroke, before - 1);
  changed(true);
});

function endStroke(event) {
  if (event.pointerId !== pointer) return;
  remember(strokes());
  stroke = pointer = null;
  paint(); // in one go: a line drawn piece by piece has slightly darker joints
  showState();
  finish();
}

canvas.addEventListener("pointerup", endStroke);
canvas.addEventListener("pointercancel", endStroke);
canvas.addEventListener("lostpointercapture", endStroke);
canvas.addEventListener("contextmenu", (event) => event.preventDefault());

// ---- Undo, redo, clear, brush

function remember(state) {
  history = [...history.slice(0, place + 1), state];
  place++;
}

function moveTo(index) {
  place = index;
  points = history[place].reduce((sum, { xs }) => sum + xs.length, 0);
  note.textContent = "";
  paint();
  changed();
  finish();
}

function clear() {
  remember([]);
  moveTo(place);
}

const actions = {
  undo: () => place > 0 && moveTo(place - 1),
  redo: () => place < history.length - 1 && moveTo(place + 1),
  clear: () => history[place].length > 0 && clear(),
};

for (const [name, button] of Object.entries(buttons)) {
  button.addEventListener("click", () => actions[name]());
}

canvas.addEventListener("keydown", (event) => {
  if (pointer !== null) return;
  const command = event.ctrlKey || event.metaKey;
  const key = event.key.toLowerCase();
  let action = null;
  if (command && key === "z") action = event.shiftKey ? "redo" : "undo";
  else if (command && key === "y") action = "redo";
  else if (!command && ["delete", "escape", "backspace"].includes(key)) action = "clear";
  if (!action) return;
  event.preventDefault();
  actions[action]();
});

slider.addEventListener("input", () => {
  paint();
  changed(true);
});
slider.addEventListener("change", finish);

function readAgain() {
  changed();
  if (!stroke) finish();
}

// A picture that covered the pad is gone.
document.addEventListener("uncovered", readAgain);

// Python names the session when the page opens, and the network when another one is to read.
watch("value", () => {
  ({ session, network } = props.value);
  if (strokes().length === 0) return;
  if (superseded) props.value = value(); // Python keeps no drawing, and other tabs use it
  else readAgain();
});

// A window that is resized, a tab that is shown, a move to a screen of another density.
new ResizeObserver(paint).observe(canvas);
paint();
