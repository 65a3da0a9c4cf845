const steps = Math.max(...data.lanes.map((lane) => lane.frames.length));
// Number of the step that is shown, from 0; in the address it is counted from 1.
let shown = 0;

function words(lane) {
  const promised = lane.promised[shown];
  const plan = promised === null || promised === undefined ? "no plan" : `promises ${promised.toFixed(1)} in ${lane.ms[shown].toFixed(1)} ms`;
  const solved = lane.solved !== null && lane.solved < shown ? `solved after ${((lane.solved + 1) * data.period_s).toFixed(1)} s` : "not yet solved";
  return `${plan}; ${solved}`;
}

function showStrips() {
  const parent = find("strips");
  parent.replaceChildren();
  for (const lane of data.lanes) {
    parent.append(Object.assign(document.createElement("h3"), { textContent: `${lane.name}: ${words(lane)}` }));
    const row = Object.assign(document.createElement("div"), { className: "lane" });
    const camera = document.createElement("canvas");
    const films = document.createElement("div");
    row.append(camera, films);
    parent.append(row);
    const frame = (step) => (lane.frames[step] ? { jpeg: lane.frames[step], column: 0 } : null);
    drawFrames(camera, [frame(shown)]);
    const imagined = lane.strips[shown];
    if (!imagined) continue;
    strip(films, "imagined", imagined.steps.map((_, column) => ({ jpeg: imagined.jpeg, column })));
    strip(films, "happened", imagined.steps.map((step) => frame(shown + step)));
    numbers(films, imagined.steps.map((step) => `+${(step * data.period_s).toFixed(1)} s`));
  }
}

function showCurves() {
  const chart = (id, named, values) => lines(id, named, data.lanes.map((lane) => values(lane).map((value, step) => [step + 1, value])), false, shown + 1);
  chart("promised", "step", (lane) => lane.promised);
  chart("rewards", "step", (lane) => lane.rewards);
  chart("ms", "step; ms", (lane) => lane.ms);
}

function show(step) {
  shown = Math.max(0, Math.min(steps - 1, step));
  find("step-slider").value = shown;
  find("step-name").textContent = `${shown + 1} of ${steps}, at ${(shown * data.period_s).toFixed(1)} s`;
  showStrips();
  showCurves();
}

function go(step) {
  show(step);
  history.replaceState(null, "", `#step=${shown + 1}`);
}

function asked() {
  const found = /^#step=(\d+)$/.exec(location.hash);
  return found ? Number(found[1]) - 1 : 0;
}

data.lanes.forEach((lane, at) => {
  const key = Object.assign(document.createElement("span"), { className: "key" });
  key.style.background = COLOURS[at % COLOURS.length];
  find("legend").append(key, ` ${lane.name}`);
});
const slider = find("step-slider");
slider.max = steps - 1;
slider.oninput = () => go(Number(slider.value));
find("step-back").onclick = () => go(shown - 1);
find("step-on").onclick = () => go(shown + 1);
window.onresize = showCurves;
window.onhashchange = () => { if (location.hash.startsWith("#step=")) show(asked()); };
show(asked());
