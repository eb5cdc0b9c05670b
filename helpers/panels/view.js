// Shows the HTML that the kernel makes, and tells it while a page shows this view.
const BEAT = 5000; // ms

function render({ model, el }) {
  el.classList.add("lab-panel");
  const show = () => {
    el.innerHTML = model.get("content");
  };
  const beat = () => {
    if (document.visibilityState === "visible") model.send({ kind: "seen" });
  };
  model.on("change:content", show);
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
