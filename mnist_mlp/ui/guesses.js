// Digits with bars as long as they are likely, for the answer and the gallery.
function percent(probability) {
  if (probability > 0.99) return ">99%";
  if (probability < 0.01) return "<1%";
  return `${Math.round(100 * probability)}%`;
}

function guessRow({ digit, probability }) {
  const item = document.createElement("li");
  item.innerHTML = '<span></span><div class="bar"><i></i></div><span class="share"></span>';
  item.firstChild.textContent = digit;
  item.querySelector("i").style.width = `${100 * probability}%`;
  item.lastChild.textContent = percent(probability);
  return item;
}
