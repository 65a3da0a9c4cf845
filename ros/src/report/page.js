function frameAt(seconds) {
  let best = null;
  for (const tick of data.ticks) {
    const away = Math.abs(tick.t - seconds);
    if (tick.frame && away <= data.period_s * 0.6 && (!best || away < Math.abs(best.t - seconds))) best = tick;
  }
  return best ? { jpeg: best.frame, column: 0 } : null;
}

// Number of the image that is shown, from 0; in the address it is counted from 1.
let shown = 0;

function showRun() {
  const svg = find("run-chart");
  const plans = data.ticks.map((tick, at) => ({ tick, at })).filter(({ tick }) => tick.plan);
  const ends = [0, data.ticks[data.ticks.length - 1].t];
  const place = axes(svg, ends, plans.map(({ tick }) => tick.plan.predicted).concat([0]), "time of the run, s", false);
  for (const episode of data.episodes) {
    shape(svg, "line", { x1: place.x(episode.from_s), x2: place.x(episode.from_s), y1: place.top, y2: place.bottom, stroke: "#5d6778" });
    shape(svg, "text", { x: place.x(episode.from_s) + 3, y: place.top + 9 }, episode.number === null ? "" : String(episode.number));
  }
  for (const [time, value] of data.rewards) if (value > 0) shape(svg, "circle", { cx: place.x(time), cy: place.bottom - 3, r: 3, fill: "#2f8f4e" });
  for (const [time, level, text] of data.states) {
    if (time < 0 || time > ends[1] || (level === 0 && !text.startsWith("stopped"))) continue;
    const made = shape(svg, "rect", { x: place.x(time) - 3, y: place.top + 12, width: 6, height: 6, fill: "#c2313b" });
    shape(made, "title", {}, text);
  }
  for (const { tick } of plans) shape(svg, "circle", { cx: place.x(tick.t), cy: place.y(tick.plan.predicted), r: 2.6, fill: tick.plan.warm ? "#1f6fb5" : "#d97706" });
  shape(svg, "line", { x1: place.x(data.ticks[shown].t), x2: place.x(data.ticks[shown].t), y1: place.top, y2: place.bottom, stroke: "#1d2430", "stroke-dasharray": "3 3", id: "run-cursor" });
  svg.onclick = (event) => {
    const box = svg.getBoundingClientRect();
    const wanted = ((event.clientX - box.left - 46) / (box.width - 56)) * ends[1];
    let best = 0;
    data.ticks.forEach((tick, at) => { if (Math.abs(tick.t - wanted) < Math.abs(data.ticks[best].t - wanted)) best = at; });
    go(best);
  };
}

function showTimes() {
  const svg = find("times-chart");
  const rows = data.times;
  if (!rows.length) return;
  const t = (row) => data.ticks[row.at].t;
  const values = rows.flatMap((r) => [r.taken_ms, r.ready_ms, r.command_ms, r.due_ms]);
  const place = axes(svg, rows.map(t), values.concat([0]), "time of the run, s; ms from the stamp of the image", false);
  line(svg, place, rows.map((r) => [t(r), r.due_ms]), "#c2313b");
  const dots = (value, colour) => rows.forEach((r) => { if (r[value] !== null) shape(svg, "circle", { cx: place.x(t(r)), cy: place.y(r[value]), r: 1.8, fill: colour }); });
  dots("taken_ms", COLOURS[0]);
  dots("ready_ms", COLOURS[1]);
  dots("command_ms", COLOURS[2]);
}

function show(at) {
  shown = Math.max(0, Math.min(data.ticks.length - 1, at));
  const tick = data.ticks[shown];
  const plan = tick.plan;
  find("tick-slider").value = shown;
  find("tick-name").textContent = `${shown + 1} of ${data.ticks.length}, at ${tick.t.toFixed(2)} s`;
  showRun();
  const frame = tick.frame && { jpeg: tick.frame, column: 0 };
  drawFrames(find("camera"), [frame]);
  if (data.decoded) drawFrames(find("belief"), [frame && { jpeg: tick.frame, column: 1 }]);
  const words = [];
  if (tick.refused) words.push(`The belief refused this image: ${tick.refused}.`);
  if (!plan) words.push("No plan was made from it.");
  else {
    words.push(`Plan ${plan.number}${plan.is_new ? "" : " (kept: the new solve failed)"}: its actions ${plan.source}. ${plan.iterations} iterations, ${plan.warm ? "beginning with the plan before" : "beginning from nothing"}, ended by ${plan.stop.replaceAll("_", " ")}; kept from iteration ${plan.best_iteration}, with a predicted return of ${plan.predicted.toFixed(2)}.`);
  }
  find("tick-words").textContent = words.join(" ");
  showPlan(plan);
}

function showPlan(plan) {
  const film = find("film");
  if (film) film.replaceChildren();
  if (film && plan && plan.strip) {
    const { steps, jpeg } = plan.strip;
    strip(film, "imagined", steps.map((_, column) => ({ jpeg, column })));
    strip(film, "happened", steps.map((step) => frameAt(plan.start_s + step * data.period_s)));
    numbers(film, steps.map((step) => `+${(step * data.period_s).toFixed(1)} s`));
  }
  const joints = data.joints.map((_, joint) => (plan ? plan.actions.map((action, step) => [step, action[joint] ?? null]) : []));
  lines("actions", "step; share of the joint's velocity limit", joints, false);
  const legend = find("actions-legend");
  legend.replaceChildren();
  data.joints.forEach((name, at) => {
    const key = Object.assign(document.createElement("span"), { className: "key" });
    key.style.background = COLOURS[at % COLOURS.length];
    legend.append(key, ` ${name}`);
  });
  lines("rewards", "step", [plan ? plan.rewards.map((reward, step) => [step + plan.lead + 1, reward]) : []], false);
  const isIterate = plan && plan.best_iteration > 0;
  const followed = plan ? [plan.start === "shifted" && !isIterate, plan.start === "sampled" && !isIterate, isIterate] : [];
  const names = ["the plan before, shifted", "the best of the sampled action sequences", "the best iterate"];
  const known = plan ? plan.candidates.map((value, at) => [names[at], followed[at] ? number(plan.predicted) : value === null ? "-" : number(value), followed[at] ? "followed" : ""]) : [];
  if (plan && !followed.some(Boolean)) known.push([plan.start.replaceAll("_", " "), number(plan.predicted), "followed"]);
  rowsOf("candidates", known, (row) => row[2] !== "");
  rowsOf("iterated", (plan ? plan.trace : []).map((rows, at) => {
    const valued = rows.filter((row) => row[6] !== null);
    const ends = valued.length ? [valued[0][6], valued[valued.length - 1][6]] : [];
    return [String(at), ...[0, 1].map((end) => (ends.length ? number(ends[end]) : "-")), rows.length && rows[rows.length - 1][1] !== null ? number(rows[rows.length - 1][1]) : "-"];
  }), (_, at) => isIterate && at === plan.best_plan);
  const iterates = plan && plan.iterates ? plan.iterates : [];
  const slider = find("iteration-slider");
  slider.max = Math.max(0, iterates.length - 1);
  slider.disabled = iterates.length === 0;
  slider.value = slider.max;
  find("iterates-words").textContent = iterates.length ? "States of the iterate from which the next plan goes on. Between the first iteration and the last they need not obey the model: that is the relaxation." : plan ? "The iterations of this plan are not decoded; those of the orange plans are." : "";
  showIteration();
}

// Fills a table; the chosen rows are set apart.
function rowsOf(id, rows, isChosen) {
  const body = find(id).querySelector("tbody");
  body.replaceChildren();
  rows.forEach((cells, at) => {
    const line = document.createElement("tr");
    if (isChosen(cells, at)) line.className = "chosen";
    for (const cell of cells) line.append(Object.assign(document.createElement("td"), { textContent: cell }));
    body.append(line);
  });
}

function showIteration() {
  const plan = data.ticks[shown].plan;
  const iterates = plan && plan.iterates ? plan.iterates : [];
  const iterate = iterates[Number(find("iteration-slider").value)];
  const parent = find("iterates");
  parent.replaceChildren();
  find("iteration-name").textContent = iterate ? `${iterate.iteration} of ${plan.iterations}` : "-";
  if (iterate) {
    const { steps, jpeg } = iterate.strip;
    strip(parent, "states", steps.map((_, column) => ({ jpeg, column })));
    numbers(parent, steps.map((step) => `${step}`));
  }
  const rows = plan && plan.trace.length ? plan.trace[plan.best_plan] || [] : [];
  const column = (at) => rows.map((row) => [row[0], row[at]]);
  const cursor = iterate ? iterate.iteration : undefined;
  lines("violation", "iteration", [column(1), column(2)], true, cursor);
  lines("multipliers", "iteration", [column(3), column(4)], true, cursor);
  lines("returns", "iteration", [column(5), column(6)], false, cursor);
}

const slider = find("tick-slider");
slider.max = data.ticks.length - 1;
// Shows an image, and lets the address name it.
function go(at) {
  show(at);
  history.replaceState(null, "", `#image=${shown + 1}`);
}
slider.oninput = () => go(Number(slider.value));
find("tick-back").onclick = () => go(shown - 1);
find("tick-on").onclick = () => go(shown + 1);
find("iteration-slider").oninput = showIteration;
function asked() {
  const found = /^#image=(\d+)$/.exec(location.hash);
  if (found) return Number(found[1]) - 1;
  const first = data.ticks.findIndex((tick) => tick.plan && tick.plan.iterates);
  return first < 0 ? 0 : first;
}
window.onresize = () => { showTimes(); show(shown); };
window.onhashchange = () => { if (location.hash.startsWith("#image=")) show(asked()); };
showTimes();
show(asked());
