// The answer of a classifier as points of two inputs with their classes.
import type { TableData } from "../datatable";
import { exact } from "../format";
import type { Fit } from "../types";
import type { Classified } from "./fit-regions";

/** Points by class. A prediction in [0, 1] of two classes decides at one half; others round. */
export function classified(fit: Fit): Classified | null {
  const { header } = fit;
  const label: ArrayLike<number> = fit.y;
  const listed: number[] = Array.isArray(header.classes)
    ? header.classes.map(Number) : [...new Set(Array.from(label))].sort((a, b) => a - b);
  const classes = listed.length ? listed : [0, 1];
  // Of one input alone, its ordinate is what is predicted.
  const isPlane = fit.inputs.length > 1 && fit.curveX.length === fit.count;
  return {
    names: [fit.inputs[0] ?? fit.names.x, isPlane ? fit.inputs[1] : "prediction"],
    u: fit.x, v: isPlane ? fit.curveX : fit.prediction, label,
    prediction: fit.prediction, classes, step: fit.step,
    // Numbers are called classes, words are not.
    called: classes.map((one, k) => {
      const name = header.called?.[k] ?? one;
      return Number(name) === one ? `class ${exact(one)}` : name;
    }),
    decide: (prediction) => {
      if (classes.length > 2) return classes[Math.round(prediction)] ?? NaN;
      return Number.isNaN(prediction) ? NaN : classes[prediction >= 0.5 ? 1 : 0];
    },
  };
}

export function classTable(data: Classified): TableData {
  return {
    columns: [...data.names, "class", "prediction", "predicted class"],
    rows: Array.from(data.u, (u, k) => [
      u, data.v[k], data.label[k], data.prediction[k], data.decide(data.prediction[k]),
    ]),
    note: `Points and predictions at step ${data.step}.`,
  };
}
