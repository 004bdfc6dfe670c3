// What no chart here uses of uPlot, taken out of its source before it is bundled: axes of time,
// dates and asinh, its own legend, scatter plots, other paths than lines. Each place must be found exactly
// once, so that another version of uPlot cannot be cut in the wrong place.
const CUTS: [string, string][] = [
  ["genTimeStuffs(1);", "[];"],
  ["genTimeStuffs(1e-3);", "[];"],
  ["(ms == 1 ? timeAxisSplitsMs(_tzDate) : timeAxisSplitsS(_tzDate))", "null"],
  ["timeAxisVals(_tzDate, timeAxisStamps((ms == 1 ? _timeAxisStampsMs : _timeAxisStampsS), _fmtDate))", "null"],
  ["timeSeriesVal(_tzDate, timeSeriesStamp(_timeSeriesStamp, _fmtDate))", "null"],
  ["(isStr(sv) ? timeSeriesVal(_tzDate, timeSeriesStamp(sv, _fmtDate)) : sv || _timeSeriesVal)", "sv"],
  ["timeAxisVals(_tzDate, timeAxisStamps(av, _fmtDate)) :", "null :"],
  ["timeAxisVal(_tzDate, av) :", "null :"],
  ["(opts.fmtDate || fmtDate)", "null"],
  ["uPlot.fmtDate = fmtDate;", ""],
  ["uPlot.tzDate  = tzDate;", ""],
  ["uPlot.join = join;", ""],
  ["(paths.stepped = stepped);", ""],
  ["(paths.bars    = bars);", ""],
  ["(paths.spline  = monotoneCubic);", ""],
  // Axes have splits, filters and ranges of their own; none is of asinh.
  ["fnOrSelf(axis.splits || (isTime && sc.distr == 1 ? _timeAxisSplits : sc.distr == 3 ? logAxisSplits : sc.distr == 4 ? asinhAxisSplits : numAxisSplits))",
    "fnOrSelf(axis.splits || numAxisSplits)"],
  ["(          sc.distr >= 3 && sc.log == 10 ? log10AxisValsFilt : sc.distr == 3 && sc.log == 2 ? log2AxisValsFilt : retArg1)", "retArg1"],
  ["sc.distr == 4 ? snapAsinhX : ", ""],
  ["sc.distr == 4 ? snapAsinhY : ", ""],
  ["[_min, _max] = rangeAsinh(_min, _min, scaleX.log, false);", ";"],
  ["uPlot.rangeAsinh = rangeAsinh;", ""],
  ["const mode = self.mode;", "const mode = 1;"],
  ["let isTime = mode == 1 && scales[s.scale].time;", "let isTime = false;"],
  ["const showLegend = legend.show;", "const showLegend = false;"],
  ["if (legend.live) {\n\t\tconst getMultiVals", "if (false) {\n\t\tconst getMultiVals"],
  ["const showCursor =                cursor.show;", "const showCursor = true;"],
  ["const cursorFocus = focus.prox >= 0;", "const cursorFocus = false;"],
  ["const cursorOnePt = cursorFocus && points.one;", "const cursorOnePt = false;"],
  ["if (e != null) {\n\t\t\t_l = e.clientX - rect.left;", "if (true) {\n\t\t\t_l = e.clientX - rect.left;"],
  ["if (select.show && dragging) {\n\t\t\tif (src != null) {", "if (select.show && dragging) {\n\t\t\tif (false) {"],
  ["pubSync(mousemove, self, mouseLeft1, mouseTop1, plotWidCss, plotHgtCss, idx);", ""],
  ["pubSync(mousedown, self, mouseLeft0, mouseTop0, plotWidCss, plotHgtCss, null);", ""],
  ["pubSync(mouseup, self, mouseLeft1, mouseTop1, plotWidCss, plotHgtCss, null);", ""],
  ["if (e != null)\n\t\t\tpubSync(dblclick, self, mouseLeft1, mouseTop1, plotWidCss, plotHgtCss, null);", ""],
  ["_pub && pubSync(\"setSeries\", self, i, opts);", ""],
  ["sync.unsub(self);", ""],
  ["uPlot.sync = _sync;", ""],
];

// From one text up to, and without, another: series that come and go, bands between them, charts
// that follow each other's pointer, points under the pointer.
const GAPS: [string, string][] = [
  ["\tfunction addSeries(opts, si) {", "\tconst sidesWithAxes ="],
  ["\tfunction setBand(bi, opts) {", "\tfunction setAlpha("],
  ["\t\t\t// closest pt values\n", "\t\t}\n\n\t\t// nit: cursor.drag.setSelect"],
  ["\t\t\tif (_pub) {\n\t\t\t\tif (syncKey", "\t\t\tif (cursorFocus) {\n\t\t\t\tlet shouldPub"],
  ["\t// internal pub/sub\n", "\tif (showCursor) {\n\t\tonMouse(mousedown,"],
  ["\tconst seriesIdxMatcher =", "\tfunction destroy() {"],
];

export function cut(code: string): string {
  for (const [text, instead] of CUTS) {
    if (code.split(text).length !== 2) throw new Error(`uPlot is not what it was: ${text}`);
    code = code.replace(text, () => instead);
  }
  for (const [from, to] of GAPS) {
    const start = code.indexOf(from), end = code.indexOf(to, start);
    if (start < 0 || end < 0 || code.indexOf(from, start + 1) > 0) throw new Error(`uPlot is not what it was: ${from}`);
    code = code.slice(0, start) + code.slice(end);
  }
  return code;
}
