// Shows the HTML that the kernel makes, and tells it while a page shows this view.
// An element with data-press is a button: pressing it tells the kernel that value.
const BEAT = 5000; // ms

// What a reader has done to the page, to be kept when its content is replaced.
function state(el) {
  const active = el.contains(document.activeElement) ? document.activeElement : null;
  return {
    pressed: active?.dataset.press,
    open: [...el.querySelectorAll("details[open]")].map((one) => one.dataset.key),
    scrolls: [...el.querySelectorAll("[data-scroll]")].map((one) => [
      one.dataset.scroll,
      one.scrollTop,
    ]),
  };
}

function restore(el, { pressed, open, scrolls }) {
  for (const one of el.querySelectorAll("details")) {
    if (open.includes(one.dataset.key)) one.open = true;
  }
  for (const [name, top] of scrolls) {
    for (const one of el.querySelectorAll("[data-scroll]")) {
      if (one.dataset.scroll === name) one.scrollTop = top;
    }
  }
  if (pressed === undefined) return;
  const again = [...el.querySelectorAll("[data-press]")].find((one) => one.dataset.press === pressed);
  again?.focus({ preventScroll: true });
}

function render({ model, el }) {
  el.classList.add("lab-panel");
  const show = () => {
    const kept = state(el);
    el.innerHTML = model.get("content");
    restore(el, kept);
  };
  const beat = () => {
    if (document.visibilityState === "visible") model.send({ kind: "seen" });
  };
  const press = (event) => {
    const button = event.target.closest("[data-press]");
    if (button) model.send({ kind: "press", value: button.dataset.press });
  };
  model.on("change:content", show);
  el.addEventListener("click", press);
  document.addEventListener("visibilitychange", beat);
  show();
  beat();
  const timer = setInterval(beat, BEAT);
  return () => {
    clearInterval(timer);
    document.removeEventListener("visibilitychange", beat);
    model.off("change:content", show);
    model.send({ kind: "gone" });
  };
}

export default { render };
