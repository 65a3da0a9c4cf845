function showLosses() {
  for (const { id, learned, held_out } of data) {
    const isLog = learned.concat(held_out).every((point) => point[1] > 0);
    lines(id, "step", [learned, held_out], isLog);
  }
}
window.onresize = showLosses;
showLosses();
