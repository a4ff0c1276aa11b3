// Milliseconds that a visitor waits, up to the frame that paints the answer.

// `latency`: from the next pointer up till isAnswered() holds.
function watchStrokeEnd(isAnswered) {
  const start = ({ timeStamp }) => {
    const look = () => {
      if (isAnswered()) window.latency = performance.now() - timeStamp;
      else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  };
  addEventListener("pointerup", start, { capture: true, once: true });
}

// `latencies`: from each pointer move that changed the drawing to the answer to just that drawing.
// The moves that a later one overtook before they were sent have no answer of their own.
function watchDrawing() {
  window.latencies = [];
  const pad = document.querySelector("#digit-pad .pad");
  const moves = new Map(); // the revision it made -> its time
  let revision = 0;
  let move = null;
  addEventListener("pointermove", ({ timeStamp }) => (move = timeStamp), true);
  for (const other of ["pointerdown", "pointerup"]) {
    addEventListener(other, () => (move = null), true);
  }
  // The pad sets its state to "waiting" once a revision, and the readings carry their revision.
  new MutationObserver((records) => {
    if (pad.dataset.state !== "waiting") return;
    revision += records.length;
    if (move !== null) moves.set(revision, move);
  }).observe(pad, { attributeFilter: ["data-state"] });
  document.addEventListener("reading", ({ detail }) => {
    const start = moves.get(detail.revision);
    if (start) requestAnimationFrame(() => latencies.push(performance.now() - start));
  });
}
