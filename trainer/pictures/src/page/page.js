"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const find = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const COLOURS = ["#1f6fb5", "#d97706", "#2f8f4e", "#7c4dbd", "#c2313b", "#0e7c86", "#8a6d3b", "#5d6778", "#d6569f", "#111111"];

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

// Axes with room for the numbers, or with texts at 0, 1, 2, ... in their place; returns functions from values to places.
function axes(svg, xs, ys, names, isLog, ticks) {
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
  const places = ticks ? ticks.map((text, at) => [at, text]) : [];
  for (let value = Math.ceil(from / wide) * wide; !ticks && value <= to + 1e-9 * wide; value += wide) places.push([value, number(value)]);
  for (const [value, text] of places) shape(svg, "text", { x: x(value), y: height - bottom + 14, "text-anchor": "middle" }, text);
  shape(svg, "text", { x: (left + width - right) / 2, y: height - 3, "text-anchor": "middle" }, names);
  return { x, y, top, bottom: height - bottom };
}

function line(svg, place, points, colour) {
  const drawn = points.filter(([, y]) => y !== null && Number.isFinite(place.y(y)));
  if (drawn.length === 0) return;
  shape(svg, "polyline", { points: drawn.map(([a, b]) => `${place.x(a)},${place.y(b)}`).join(" "), class: "line", stroke: colour });
  if (drawn.length < 60) for (const [a, b] of drawn) shape(svg, "circle", { cx: place.x(a), cy: place.y(b), r: 2, fill: colour });
}

function lines(id, named, series, isLog, cursor, ticks) {
  const svg = find(id);
  const xs = series.flat().map((p) => p[0]);
  const place = axes(svg, xs.length ? xs : [0, 1], series.flat().map((p) => p[1]), named, isLog, ticks);
  series.forEach((points, at) => line(svg, place, points, COLOURS[at % COLOURS.length]));
  if (cursor !== undefined && xs.length) shape(svg, "line", { x1: place.x(cursor), x2: place.x(cursor), y1: place.top, y2: place.bottom, stroke: "#1d2430", "stroke-dasharray": "3 3" });
}

const pictures = new Map();

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

// Draws frames of data.width x data.height side by side, each from a place in a JPEG or empty.
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
