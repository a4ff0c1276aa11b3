// The live curves of monitor.py. Gradio runs this once as the body of a function of
// element, trigger, props, server, upload and watch.
const ASK_EVERY = 200; // ms
const ASK_AGAIN_AFTER = 1000; // ms, when the server did not answer or the data is not loaded yet
const MAX_RUNS = 10; // as the server keeps
const SMOOTHING = 0.85; // of the line over the faint points
const COLORS = ["#f97316", "#3b82f6", "#22c55e", "#a855f7", "#ec4899", "#14b8a6", "#eab308",
  "#6366f1", "#ef4444", "#84cc16"];
const LOSS_TICKS = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10];

const status = element.querySelector("#train-status");
const bar = element.querySelector(".progress i");
const legend = element.querySelector(".legend");
const forget = element.querySelector(".forget");
const data = element.querySelector(".data");
const spoken = element.querySelector("[role=status]");

const runs = new Map(); // number -> {label, color, hidden, loss, epochs}
let session = null;
let current = null; // the number of the run that is followed

// ---- A chart on a canvas: axes, lines, and the numbers under the pointer

function makeChart(figure, { lines, yTicks, yAt, yText, yLabel }) {
  const canvas = figure.querySelector("canvas");
  const tip = figure.querySelector(".tip");
  const context = canvas.getContext("2d");
  const edge = { left: 48, right: 10, top: 8, bottom: 36 };
  let xMax = 1;
  let ticks = [];

  const inner = () => ({
    width: canvas.clientWidth - edge.left - edge.right,
    height: canvas.clientHeight - edge.top - edge.bottom,
  });
  const toX = (x) => edge.left + (x / xMax) * inner().width;
  const toY = (y) => edge.top + (1 - yAt(y, ticks)) * inner().height;

  function paint() {
    const { clientWidth: width, clientHeight: height } = canvas;
    if (!width) return;
    if (canvas.width !== Math.round(width * devicePixelRatio)) {
      canvas.width = Math.round(width * devicePixelRatio);
      canvas.height = Math.round(height * devicePixelRatio);
    }
    const shown = lines();
    const points = shown.flatMap((line) => line.points);
    xMax = Math.max(1, ...shown.map((line) => line.xMax));
    ticks = yTicks(points.map(([, y]) => y));
    const style = getComputedStyle(element);
    context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    context.clearRect(0, 0, width, height);
    paintAxes(style);
    for (const line of shown) paintLine(line);
  }

  function paintAxes(style) {
    const { width, height } = inner();
    context.font = `12px ${style.fontFamily}`;
    context.fillStyle = style.color;
    context.strokeStyle = style.getPropertyValue("--border-color-primary");
    context.globalAlpha = 1;
    context.lineWidth = 1;
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (const y of ticks) {
      context.beginPath();
      context.moveTo(edge.left, toY(y));
      context.lineTo(edge.left + width, toY(y));
      context.stroke();
      context.fillText(yText(y), edge.left - 6, toY(y));
    }
    context.textAlign = "center";
    context.textBaseline = "top";
    const step = Math.ceil(xMax / 10);
    for (let x = 0; x <= xMax; x += step) context.fillText(x, toX(x), edge.top + height + 4);
    context.fillText(`Epoch${yLabel}`, edge.left + width / 2, edge.top + height + 19);
  }

  function paintLine({ points, faint, color, width, dash }) {
    context.strokeStyle = context.fillStyle = color;
    context.globalAlpha = 0.3;
    for (const [x, y] of faint) context.fillRect(toX(x) - 1, toY(y) - 1, 2, 2);
    context.globalAlpha = width > 1 ? 1 : 0.7;
    context.lineWidth = width;
    context.lineJoin = "round";
    context.setLineDash(dash);
    context.beginPath();
    for (const [x, y] of points) context.lineTo(toX(x), toY(y));
    context.stroke();
    context.setLineDash([]);
    if (points.length === 1) context.fillRect(toX(points[0][0]) - 2, toY(points[0][1]) - 2, 4, 4);
  }

  function showTip(event) {
    const x = ((event.offsetX - edge.left) / inner().width) * xMax;
    const rows = lines().flatMap(({ name, points }) => {
      if (!points.length) return [];
      const near = points.reduce((a, b) => (Math.abs(b[0] - x) < Math.abs(a[0] - x) ? b : a));
      return [`${name}, epoch ${Number(near[0].toFixed(2))}: ${yText(near[1])}`];
    });
    tip.hidden = rows.length === 0;
    tip.textContent = rows.join("\n");
    const right = event.offsetX > canvas.clientWidth / 2;
    tip.style.left = right ? "" : `${event.offsetX + 14}px`;
    tip.style.right = right ? `${canvas.clientWidth - event.offsetX + 14}px` : "";
    tip.style.top = `${canvas.offsetTop + 8}px`;
  }

  canvas.addEventListener("pointermove", showTip);
  canvas.addEventListener("pointerleave", () => (tip.hidden = true));
  new ResizeObserver(paint).observe(canvas);
  return paint;
}

function smoothed(points) {
  let mean = points[0]?.[1];
  return points.map(([x, y]) => [x, (mean = SMOOTHING * mean + (1 - SMOOTHING) * y)]);
}

function visibleRuns() {
  return [...runs.entries()].filter(([, run]) => !run.hidden);
}

const percent = (y) => `${Number((100 * y).toFixed(2))}%`;

const paintLoss = makeChart(element.querySelector("#train-loss"), {
  lines: () =>
    visibleRuns().map(([number, run]) => ({
      name: `Run ${number}`,
      points: smoothed(run.loss),
      faint: number === current ? run.loss : [],
      xMax: run.xMax,
      color: run.color,
      width: number === current ? 2.5 : 1,
      dash: [],
    })),
  yTicks: (ys) => {
    if (!ys.length) return [0.1, 0.3, 1, 3];
    const above = LOSS_TICKS.findLast((tick) => tick <= Math.min(...ys)) ?? LOSS_TICKS[0];
    const below = LOSS_TICKS.find((tick) => tick >= Math.max(...ys)) ?? LOSS_TICKS.at(-1);
    return LOSS_TICKS.filter((tick) => tick >= above && tick <= Math.max(below, 3 * above));
  },
  yAt: (y, ticks) => {
    const [low, high] = [Math.log(ticks[0]), Math.log(ticks.at(-1))];
    return Math.min(Math.max((Math.log(y) - low) / (high - low), 0), 1);
  },
  yText: (y) => String(Number(y.toPrecision(3))),
  yLabel: " (cross entropy, logarithmic)",
});

const paintAccuracy = makeChart(element.querySelector("#train-accuracy"), {
  lines: () =>
    visibleRuns().flatMap(([number, run]) =>
      [
        ["training", 1, [4, 3]],
        ["test", 2, []],
      ].map(([name, column, dash]) => ({
        name: `Run ${number} ${name}`,
        points: run.epochs.map((epoch) => [epoch[0], epoch[column]]),
        faint: [],
        xMax: run.xMax,
        color: run.color,
        width: number === current ? 2.5 : 1,
        dash,
      })),
    ),
  yTicks: (ys) => {
    const low = Math.min(0.9, ...ys);
    const step = [0.02, 0.05, 0.1, 0.2].find((each) => (1 - low) / each <= 6) ?? 0.25;
    const count = Math.ceil((1 - low) / step);
    return Array.from({ length: count + 1 }, (_, i) => 1 - (count - i) * step);
  },
  yAt: (y, ticks) => (y - ticks[0]) / (1 - ticks[0]),
  yText: percent,
  yLabel: " (dashed: training, solid: test)",
});

function paint() {
  paintLoss();
  paintAccuracy();
}

// ---- The legend

function showLegend() {
  legend.replaceChildren(...[...runs.entries()].map(legendRow));
  forget.hidden = runs.size < 2;
}

function legendRow([number, run]) {
  const row = document.createElement("li");
  row.innerHTML = '<label><input type="checkbox" /><i></i><span></span></label>';
  const box = row.querySelector("input");
  box.checked = !run.hidden;
  box.addEventListener("change", () => {
    run.hidden = !box.checked;
    paint();
  });
  row.querySelector("i").style.background = run.color;
  row.querySelector("span").textContent = `Run ${number}: ${run.label}`;
  return row;
}

forget.addEventListener("click", () => {
  for (const number of [...runs.keys()]) if (number !== current) runs.delete(number);
  showLegend();
  paint();
  trigger("forget");
});

// ---- Following a run

function follow(number, label) {
  current = number;
  runs.set(number, {
    label,
    color: COLORS[(number - 1) % COLORS.length],
    hidden: false,
    loss: [],
    epochs: [],
    xMax: 1,
  });
  for (const old of [...runs.keys()].slice(0, Math.max(0, runs.size - MAX_RUNS))) runs.delete(old);
  showLegend();
  // On a phone the settings stand above: the curves come into view by themselves.
  if (status.getBoundingClientRect().top > innerHeight) status.scrollIntoView();
  ask();
}

async function ask() {
  const run = current;
  const answer = await server.progress({ session, run }).catch(() => undefined);
  if (run !== current) return; // a newer run is followed by now
  if (!answer) {
    status.textContent = "The server does not answer; asking again.";
    setTimeout(ask, ASK_AGAIN_AFTER);
    return;
  }
  data.textContent = answer.data;
  if (run !== null) show(answer);
  if (answer.state === "ended") {
    spoken.textContent = answer.status;
    trigger("finished");
  } else if (run !== null) {
    setTimeout(ask, ASK_EVERY);
  } else if (!answer.loaded) {
    setTimeout(ask, ASK_AGAIN_AFTER);
  }
}

function show({ status: text, done, loss, epochs, total }) {
  const run = runs.get(current);
  status.textContent = text;
  bar.style.width = `${100 * done}%`;
  if (!loss) return;
  Object.assign(run, { loss, epochs, xMax: total });
  const latest = smoothed(loss).at(-1);
  element.querySelector("#train-loss b").textContent = latest ? latest[1].toFixed(4) : "";
  const epoch = epochs.at(-1);
  element.querySelector("#train-accuracy b").textContent = epoch ? `test ${percent(epoch[2])}` : "";
  paint();
}

// Python names the session when the page opens, and a run when one is put in line. By the time
// that the tab is first shown it may have done so already.
function receive() {
  if (!props.value) return;
  const { session: key, run, label } = props.value;
  session = key;
  if (run !== null && run !== current) follow(run, label);
  else if (run === null) ask();
}
watch("value", receive);
receive();

// The theme is a class of the body; the canvas has to follow it.
new MutationObserver(paint).observe(document.body, { attributes: true, attributeFilter: ["class"] });
