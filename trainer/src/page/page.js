function showExploitation() {
  if (!data.exploitation) return;
  const { points } = data.exploitation;
  const series = (field) => points.map((point, at) => [at, point[field]]);
  const iterations = points.map((point) => String(point.iterations));
  lines("exploited-returns", "iterations", [series("predicted_return"), series("true_return")], false, undefined, iterations);
  lines("exploited-plans", "iterations", [series("promised"), series("kept")], false, undefined, iterations);
}

function showAll() {
  showExploitation();
  for (const { id, learned, held_out } of data.losses) {
    const isLog = learned.concat(held_out).every((point) => point[1] > 0);
    lines(id, "step", [learned, held_out], isLog);
  }
}
window.onresize = showAll;
showAll();
