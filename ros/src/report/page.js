"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const find = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const COLOURS = ["#1f6fb5", "#d97706", "#2f8f4e", "#7c4dbd", "#c2313b", "#0e7c86", "#8a6d3b", "#5d6778"];
const pictures = new Map();

function shape(svg, name, values, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(values)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  svg.append(made);
  return made;
}

function number(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size >= 1e5 || size < 1e-3 ? value.toExponential(0) : String(Number(value.toPrecision(3)));
}

// The next larger 1, 2 or 5 times a power of ten.
function round(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((n) => n * power).find((n) => n >= value * 0.999) || value;
}

// Axes with room for the numbers; returns functions from values to places.
function axes(svg, xs, ys, names, isLog) {
  svg.replaceChildren();
  const { width, height } = svg.getBoundingClientRect();
  const [left, right, top, bottom] = [46, 10, 8, 30];
  const real = ys.filter((y) => y !== null && Number.isFinite(y) && (!isLog || y > 0));
  let [low, high] = real.length ? [Math.min(...real), Math.max(...real)] : [0, 1];
  if (isLog) [low, high] = [Math.floor(Math.log10(real.length ? low : 1)), Math.ceil(Math.log10(real.length ? high : 10))];
  if (high - low < 1e-12) [low, high] = [low - (isLog ? 1 : 0.5), high + (isLog ? 1 : 0.5)];
  const [from, to] = [Math.min(...xs), Math.max(...xs)];
  const x = (value) => left + ((value - from) / (to - from || 1)) * (width - left - right);
  const y = (value) => height - bottom - (((isLog ? Math.log10(value) : value) - low) / (high - low)) * (height - top - bottom);
  const step = isLog ? Math.max(1, Math.ceil((high - low) / 5)) : round((high - low) / 4);
  for (let value = Math.ceil(low / step) * step; value <= high + 1e-9 * step; value += step) {
    const shown = isLog ? 10 ** value : Math.abs(value) < 1e-9 * step ? 0 : value;
    shape(svg, "line", { x1: left, x2: width - right, y1: y(shown), y2: y(shown), class: "axis" });
    shape(svg, "text", { x: left - 5, y: y(shown) + 4, "text-anchor": "end" }, number(shown));
  }
  const wide = round((to - from || 1) / 6);
  for (let value = Math.ceil(from / wide) * wide; value <= to + 1e-9 * wide; value += wide) {
    shape(svg, "text", { x: x(value), y: height - bottom + 14, "text-anchor": "middle" }, number(value));
  }
  shape(svg, "text", { x: (left + width - right) / 2, y: height - 3, "text-anchor": "middle" }, names);
  return { x, y, top, bottom: height - bottom };
}

function line(svg, place, points, colour) {
  const drawn = points.filter(([, y]) => y !== null && Number.isFinite(place.y(y)));
  if (drawn.length === 0) return;
  shape(svg, "polyline", { points: drawn.map(([a, b]) => `${place.x(a)},${place.y(b)}`).join(" "), class: "line", stroke: colour });
  if (drawn.length < 60) for (const [a, b] of drawn) shape(svg, "circle", { cx: place.x(a), cy: place.y(b), r: 2, fill: colour });
}

function lines(id, named, series, isLog, cursor) {
  const svg = find(id);
  const xs = series.flat().map((p) => p[0]);
  const place = axes(svg, xs.length ? xs : [0, 1], series.flat().map((p) => p[1]), named, isLog);
  series.forEach((points, at) => line(svg, place, points, COLOURS[at % COLOURS.length]));
  if (cursor !== undefined && xs.length) shape(svg, "line", { x1: place.x(cursor), x2: place.x(cursor), y1: place.top, y2: place.bottom, stroke: "#1d2430", "stroke-dasharray": "3 3" });
}

// The picture of a JPEG, decoded once.
function picture(jpeg) {
  if (!pictures.has(jpeg)) {
    pictures.set(jpeg, new Promise((done, failed) => {
      const image = new Image();
      image.onload = () => done(image);
      image.onerror = () => failed(new Error("a picture of this page is damaged"));
      image.src = "data:image/jpeg;base64," + jpeg;
    }));
  }
  return pictures.get(jpeg);
}

// Draws frames side by side, each from a place in a JPEG or empty.
async function drawFrames(canvas, frames) {
  const { width, height } = data;
  const turn = (canvas.turn = (canvas.turn || 0) + 1);
  const images = await Promise.all(frames.map((f) => (f ? picture(f.jpeg) : null)));
  if (canvas.turn !== turn) return;
  canvas.width = frames.length * width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  images.forEach((image, at) => {
    if (image) context.drawImage(image, frames[at].column * width, 0, width, height, at * width, 0, width, height);
  });
}

function strip(parent, name, frames) {
  const row = document.createElement("div");
  row.className = "strip";
  const label = document.createElement("span");
  label.textContent = name;
  const canvas = document.createElement("canvas");
  row.append(label, canvas);
  parent.append(row);
  return drawFrames(canvas, frames);
}

function numbers(parent, texts) {
  const row = document.createElement("div");
  row.className = "strip";
  const inner = document.createElement("div");
  inner.className = "numbers";
  for (const text of texts) inner.append(Object.assign(document.createElement("span"), { textContent: text }));
  row.append(document.createElement("span"), inner);
  parent.append(row);
}

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
  const body = find("candidates").querySelector("tbody");
  body.replaceChildren();
  (plan ? plan.trace : []).forEach((rows, at) => {
    const valued = rows.filter((row) => row[6] !== null);
    const cells = [String(at), valued.length ? number(valued[0][6]) : "-", valued.length ? number(valued[valued.length - 1][6]) : "-", rows.length && rows[rows.length - 1][1] !== null ? number(rows[rows.length - 1][1]) : "-", at === plan.best_plan ? `followed, from iteration ${plan.best_iteration}` : ""];
    const line = document.createElement("tr");
    if (at === plan.best_plan) line.className = "chosen";
    for (const cell of cells) line.append(Object.assign(document.createElement("td"), { textContent: cell }));
    body.append(line);
  });
  const iterates = plan && plan.iterates ? plan.iterates : [];
  const slider = find("iteration-slider");
  slider.max = Math.max(0, iterates.length - 1);
  slider.disabled = iterates.length === 0;
  slider.value = slider.max;
  find("iterates-words").textContent = iterates.length ? "States of the iterate from which the next plan goes on. Between the first iteration and the last they need not obey the model: that is the relaxation." : plan ? "The iterations of this plan are not decoded; those of the orange plans are." : "";
  showIteration();
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
