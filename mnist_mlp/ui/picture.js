// The picture input of picture.py. Gradio runs this once as the body of a function of
// element, trigger, props, server, upload and watch.
const SIDES = [2000, 1400, 1000]; // pixels; tried in turn until the picture is small enough
const QUALITY = 0.9;
const UNREACHABLE = "The server does not answer; please try again.";
const UNREADABLE = "This is not a picture that your browser can read; save it as JPEG or PNG.";
const NO_CAMERA = "The camera cannot be used; allow it in the browser, or choose a picture.";

const root = element.querySelector(".picture");
const part = (name) => element.querySelector(name);
const chooser = part("input");
const camera = part(".camera");
const video = part("video");
const { limits, too_large: TOO_LARGE } = props;

let session = props.value?.session;
let shown = null; // the picture whose reading stands in the answer, as base64
let asked = 0; // questions so far: only the answer to the last one is shown

const isOnThisTab = () => root.clientWidth > 0;

// ---- From a file to the server's answer

async function take(file) {
  stop();
  const question = ++asked;
  root.dataset.state = "reading";
  say("");
  try {
    const picture = await base64(await smallEnough(file));
    if (question === asked) await ask(picture);
  } catch (error) {
    if (question === asked) settle(error.message);
  }
}

async function ask(picture) {
  const question = ++asked;
  root.dataset.state = "reading";
  // Gradio's client turns most failures into `undefined`.
  const reading = await server.read({ session, picture }).catch(() => undefined);
  if (question !== asked) return;
  if (reading && !reading.error) show(picture, reading);
  settle(reading ? reading.error ?? "" : UNREACHABLE);
}

function settle(sentence) {
  say(sentence);
  root.dataset.state = shown === null ? "empty" : "read";
}

function say(sentence) {
  part(".error").textContent = sentence;
}

function show(picture, { outlined, ...reading }) {
  // It is none of the pad's, and so has no place among its revisions.
  const detail = { ...reading, revision: undefined };
  document.dispatchEvent(new CustomEvent("reading", { detail }));
  shown = picture;
  part("img").src = `data:image/jpeg;base64,${outlined}`;
  part("[role=status]").textContent = reading.sure
    ? `Your picture is read as ${reading.number}.`
    : "There may be no digit in your picture.";
  part("figure").hidden = false;
}

function forget() {
  shown = null;
  asked++; // what is still on its way comes too late
  part("figure").hidden = true;
  part("[role=status]").textContent = "";
  settle("");
}

function back() {
  forget();
  document.dispatchEvent(new CustomEvent("uncovered"));
}

// ---- A file that may be posted

async function smallEnough(file) {
  if (file.size > limits.file) throw new Error(TOO_LARGE);
  if (file.size <= limits.posted) return file;
  const options = { imageOrientation: "from-image" };
  const bitmap = await createImageBitmap(file, options).catch(() => {
    throw new Error(UNREADABLE);
  });
  for (const side of SIDES) {
    const smaller = await asJpeg(bitmap, bitmap.width, bitmap.height, side);
    if (smaller && smaller.size <= limits.posted) return smaller;
  }
  throw new Error(UNREADABLE);
}

function asJpeg(image, width, height, side) {
  const factor = Math.min(1, side / Math.max(width, height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(width * factor));
  canvas.height = Math.max(1, Math.round(height * factor));
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff"; // a JPEG knows no transparency
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
}

function base64(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.split(",")[1] ?? "");
    reader.onerror = () => reject(new Error("The file cannot be read; choose it once more."));
    reader.readAsDataURL(blob);
  });
}

// ---- The camera

async function start() {
  say("");
  const wanted = { video: { facingMode: "environment", width: { ideal: 1280 } } };
  try {
    const stream = await navigator.mediaDevices.getUserMedia(wanted);
    stop();
    video.srcObject = stream;
    camera.hidden = false;
    stopUnseen(); // whoever was asked for leave may have gone elsewhere meanwhile
  } catch {
    say(NO_CAMERA);
  }
}

async function takeFromCamera() {
  if (!video.videoWidth) return;
  take(await asJpeg(video, video.videoWidth, video.videoHeight, SIDES[0]));
}

function stop() {
  for (const track of video.srcObject?.getTracks() ?? []) track.stop();
  video.srcObject = null;
  camera.hidden = true;
}

// A camera that nobody sees is off.
function stopUnseen() {
  if (!isOnThisTab()) stop();
}

new ResizeObserver(stopUnseen).observe(root);

// ---- Buttons, drops and pastes

const actions = { choose: () => chooser.click(), back, start, take: takeFromCamera, stop };
for (const button of element.querySelectorAll("button")) {
  button.addEventListener("click", () => actions[button.dataset.action]());
}

chooser.addEventListener("change", () => {
  const [file] = chooser.files;
  if (file) take(file);
  chooser.value = ""; // so that the same file may be chosen once more
});

const bringsFile = (event) => isOnThisTab() && event.dataTransfer?.types.includes("Files");

// Anywhere on the tab: a drop beside the target would replace the page by the picture.
document.addEventListener("dragover", (event) => {
  if (!bringsFile(event)) return;
  event.preventDefault();
  root.classList.add("over");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) root.classList.remove("over");
});
document.addEventListener("drop", (event) => {
  root.classList.remove("over");
  if (!bringsFile(event)) return;
  event.preventDefault();
  if (event.dataTransfer.files.length) take(event.dataTransfer.files[0]);
});
document.addEventListener("paste", (event) => {
  const file = event.clipboardData?.files[0];
  if (!file || !isOnThisTab()) return;
  event.preventDefault();
  take(file);
});

// Whoever draws, or sends a test image here, is done with the picture.
document.addEventListener("reading", forget);

// Python names the session when the page opens, and the network when another one is to read.
watch("value", () => {
  session = props.value?.session;
  if (shown !== null) ask(shown);
});
