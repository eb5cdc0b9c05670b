// Shows the HTML that the kernel makes, and tells it while this view can be seen: not while it is
// scrolled away or in a tab behind others.
// An element with data-press is a button: pressing it tells the kernel that value.
const BEAT = 5000; // ms
const ENDED = "<p role='status'>As it was last: its kernel has ended. Run the cell again to see it live.</p>";

// What can have the focus or be scrolled, and its name, which stays when the content is replaced.
const PLACES = "[data-press], [data-scroll], a[href], details > summary";
const name = (one) => {
  const { press, scroll } = one.dataset;
  return `${one.tagName} ${press ?? scroll ?? one.getAttribute("href") ?? one.parentElement.dataset.key}`;
};
const find = (el, wanted) => [...el.querySelectorAll(PLACES)].find((one) => name(one) === wanted);

// What a reader has done to the page, to be kept when its content is replaced.
function state(el) {
  const active = document.activeElement;
  return {
    focus: el.contains(active) && active.matches(PLACES) ? name(active) : null,
    open: [...el.querySelectorAll("details[open]")].map((one) => one.dataset.key),
    scrolls: [...el.querySelectorAll("[data-scroll]")].map((one) => [
      name(one),
      { top: one.scrollTop, left: one.scrollLeft },
    ]),
  };
}

function restore(el, { focus, open, scrolls }) {
  for (const one of el.querySelectorAll("details")) {
    if (open.includes(one.dataset.key)) one.open = true;
  }
  for (const [wanted, where] of scrolls) {
    find(el, wanted)?.scrollTo({ ...where, behavior: "instant" });
  }
  if (focus) find(el, focus)?.focus({ preventScroll: true });
}

// JupyterLab would take a plain key as a command to the notebook: an x, meant for a list of
// choices, would cut the cell. Escape leads out.
function keep(event) {
  const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
  if (plain && event.key !== "Escape") event.stopPropagation();
}

function render({ model, el }) {
  el.classList.add("lab-panel");
  // Between the two halves of a click nothing is replaced: what was pressed would be gone.
  let held = false;
  let missed = false;
  const show = () => {
    missed = held;
    if (held) return;
    const kept = state(el);
    el.innerHTML = model.get("content");
    restore(el, kept);
  };
  let inView = false;
  const beat = () => {
    if (inView && document.visibilityState === "visible") model.send({ kind: "seen" });
  };
  const watcher = new IntersectionObserver((seen) => {
    inView = seen.at(-1).isIntersecting;
    el.parentElement?.addEventListener("keydown", keep); // the controls are there, too
    beat();
  });
  const press = (event) => {
    const button = event.target.closest("[data-press]");
    if (button) model.send({ kind: "press", value: button.dataset.press });
  };
  // A part of a drawing can be a button too, whose keys no browser turns into clicks.
  const key = (event) => {
    if (event.target.localName !== "g" || !["Enter", " "].includes(event.key)) return;
    event.preventDefault();
    press(event);
  };
  const hold = () => {
    held = true;
  };
  const release = () => {
    held = false;
    if (missed) setTimeout(show);
  };
  const listeners = new AbortController();
  const listen = (where, event, heard) =>
    where.addEventListener(event, heard, { signal: listeners.signal });
  const rest = () => {
    clearInterval(timer);
    watcher.disconnect();
    listeners.abort();
    model.off("change:content", show);
    model.off("comm_live_update", end);
  };
  const end = () => {
    rest();
    el.insertAdjacentHTML("afterbegin", ENDED);
  };
  const timer = setInterval(beat, BEAT);
  model.on("change:content", show);
  model.on("comm_live_update", end); // of ipywidgets: the kernel was restarted
  listen(el, "click", press);
  listen(el, "keydown", key);
  listen(el, "pointerdown", hold);
  listen(window, "pointerup", release);
  listen(window, "pointercancel", release);
  listen(document, "visibilitychange", beat);
  show();
  watcher.observe(el);
  return () => {
    rest();
    model.send({ kind: "gone" });
  };
}

export default { render };
